// To whom a new block is pushed whole: chance draws, and of two that it drew the one that usually tells
// of blocks sooner is pushed to, for it is likelier to pass them on. Nobody gets more than twice its
// share, whatever it does for it. Pure.

/** As late as a peer is taken to be that was told of every block before it told of one. */
const UNMEASURED_MS = 500;

/** In place: an order of chance, with whom to push to first. `float`: uniform in [0, 1). */
export function drawPushes<P>(
  receivers: P[],
  pushes: number,
  delayMsOf: (receiver: P) => number | undefined,
  float: () => number,
): void {
  shuffle(receivers, float);
  const delayMs = (receiver: P): number => delayMsOf(receiver) ?? UNMEASURED_MS;
  for (let index = 0; index < pushes && pushes + index < receivers.length; index++) {
    const [one, other] = [receivers[index]!, receivers[pushes + index]!];
    if (delayMs(other) >= delayMs(one)) continue;
    [receivers[index], receivers[pushes + index]] = [other, one];
  }
}

/** Fisher-Yates. */
function shuffle(list: unknown[], float: () => number): void {
  for (let last = list.length - 1; last > 0; last--) {
    const other = Math.floor(float() * (last + 1));
    [list[last], list[other]] = [list[other], list[last]];
  }
}
