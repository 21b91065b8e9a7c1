// The curve of ed25519 in big integers: slow, from its definition, to derive the points of small
// order independently of the table in the code.

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

type Point = readonly [x: bigint, y: bigint];

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let b = base % P, e = exponent; e > 0n; e >>= 1n, b = (b * b) % P) {
    if (e & 1n) result = (result * b) % P;
  }
  return result;
}

const invert = (value: bigint): bigint => power(value, P - 2n);
const reduce = (value: bigint): bigint => ((value % P) + P) % P;
const D = reduce(-121665n * invert(121666n));

function add([x1, y1]: Point, [x2, y2]: Point): Point {
  const product = reduce(D * x1 * x2 * y1 * y2);
  return [
    reduce((x1 * y2 + x2 * y1) * invert(1n + product)),
    reduce((y1 * y2 + x1 * x2) * invert(reduce(1n - product))),
  ];
}

function multiply(point: Point, times: bigint): Point {
  let result: Point = [0n, 1n];
  for (let p = point, n = times; n > 0n; n >>= 1n, p = add(p, p)) {
    if (n & 1n) result = add(result, p);
  }
  return result;
}

function pointAt(y: bigint): Point | undefined {
  const square = reduce((y * y - 1n) * invert(D * y * y + 1n));
  let x = power(square, (P + 3n) / 8n);
  if (reduce(x * x) !== square) x = reduce(x * power(2n, (P - 1n) / 4n));
  return reduce(x * x) === square ? [x, y] : undefined;
}

/** A point of order 8: any point times the order of the prime subgroup, unless it is smaller. */
function generator(): Point {
  for (let y = 2n; ; y++) {
    const point = pointAt(y);
    if (point === undefined) continue;
    const torsion = multiply(point, ORDER);
    if (multiply(torsion, 4n)[1] !== 1n) return torsion;
  }
}

/** Every 32-byte encoding whose y, reduced, is that of a small-order point; both signs; in hex. */
export function smallOrderEncodings(): string[] {
  const torsion = generator();
  const ys = new Set<bigint>();
  for (let i = 0n; i < 8n; i++) ys.add(multiply(torsion, i)[1]);
  const encodings: string[] = [];
  for (const y of ys) {
    for (let value = y; value < 2n ** 255n; value += P) {
      for (const sign of [0n, 1n]) encodings.push(littleEndian(value | (sign << 255n)));
    }
  }
  return encodings;
}

function littleEndian(value: bigint): string {
  return Buffer.from(value.toString(16).padStart(64, "0"), "hex").reverse().toString("hex");
}
