import test from "ava";
import { seededRandom } from "../../src/runtime/random.js";
import { createWorld, FIVE_REGIONS } from "../../src/sim/index.js";
import { createPlaces } from "../../src/sim/places.js";

const hosts = Array.from({ length: 200 }, (_, index) => `n${index}`);

test("hosts are spread over all regions, and stay where they are when others come", (t) => {
  const places = (): ReturnType<typeof createPlaces> =>
    createPlaces({ regions: FIVE_REGIONS }, seededRandom("places"));
  const [one, other] = [places(), places()];
  const regions = hosts.map((host) => one.regionOf(host));
  t.deepEqual([...new Set(regions)].sort(), [...FIVE_REGIONS.names].sort());
  t.deepEqual(
    hosts.toReversed().map((host) => other.regionOf(host)),
    regions.toReversed(),
  );
});

test("a region that was given is taken, an unknown one is a mistake", (t) => {
  const regionOf = (host: string): string | undefined => ({ n0: "europe", n1: "the moon" })[host];
  const places = createPlaces({ regions: FIVE_REGIONS, regionOf }, seededRandom(1));
  t.is(places.regionOf("n0"), "europe");
  t.throws(() => places.regionOf("n1"), { message: /the moon/ });
  t.throws(() => createPlaces({ regions: { names: ["a"], oneWayMs: [] } }, seededRandom(1)), {
    message: /square/,
  });
});

test("delays follow the table, with a long tail that has an end", (t) => {
  const regionOf = (host: string): string => host;
  const places = createPlaces({ regions: FIVE_REGIONS, regionOf }, seededRandom("tail"));
  const sample = (from: string, to: string): number[] =>
    Array.from({ length: 5_000 }, () => places.distanceMs!(from, to)).sort((a, b) => a - b);
  for (const [from, to, baseMs] of [
    ["europe", "us-east", 45],
    ["asia-east", "asia-east", 15],
  ] as const) {
    const delays = sample(from, to);
    const share = (part: number): number => delays[Math.floor(part * delays.length)]! / baseMs;
    t.true(share(0) >= 1);
    t.true(share(0.5) > 1.01 && share(0.5) < 1.04, `${share(0.5)}`);
    t.true(share(0.99) > 1.3 && share(0.99) < 1.6, `${share(0.99)}`);
    t.true(share(0.9999) > 1.8 && share(0.9999) <= 4, `${share(0.9999)}`);
  }
});

test("each host has lines of its own, drawn once", (t) => {
  const links = { upBytesPerSecond: [1_000, 2_000], downBytesPerSecond: [5_000, 9_000] } as const;
  const places = createPlaces(links, seededRandom("lines"));
  const rates = hosts.map((host) => places.ratesOf!(host));
  t.deepEqual(
    hosts.map((host) => places.ratesOf!(host)),
    rates,
  );
  t.is(new Set(rates.map(({ upBytesPerSecond }) => upBytesPerSecond)).size, hosts.length);
  for (const { upBytesPerSecond: up, downBytesPerSecond: down } of rates) {
    t.true(up! >= 1_000 && up! < 2_000 && down! >= 5_000 && down! < 9_000);
  }
  t.deepEqual(createPlaces({}, seededRandom("lines")).ratesOf!("n0"), {});
});

test("nodes of a world are as far apart as their regions", async (t) => {
  const regionOf = (host: string): string => (host === "n2" ? "asia-east" : "europe");
  const world = createWorld({
    seed: "regions",
    nodes: 3,
    producers: 0,
    knownPeers: 2,
    links: { latencyMs: 0, jitterMs: 0, regions: FIVE_REGIONS, regionOf },
  });
  await world.runFor(5_000);
  t.is(world.regionOf("n2"), "asia-east");
  const pingOf = (name: string): Promise<number | undefined> =>
    world.settled(world.node("n0").network.pingPeer(world.node(name).peerId));
  const [near, far] = [await pingOf("n1"), await pingOf("n2")];
  t.true(near! >= 16 && near! < 70, `${near}`);
  t.true(far! >= 240, `${far}`);
});
