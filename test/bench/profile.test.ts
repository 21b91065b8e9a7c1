// Self time of a CPU profile: what each function itself spent, without the idle time.

import test from "ava";
import { selfTimes } from "../../bench/lib/profile.js";

const node = (id: number, functionName: string) => ({
  id,
  callFrame: { functionName, url: "file:///a/dist/src/x.js", lineNumber: 4 },
});

test("time goes to the function on top of the stack, and idle time to nobody", (t) => {
  const idle = { id: 3, callFrame: { functionName: "(idle)", url: "", lineNumber: -1 } };
  const times = selfTimes({
    nodes: [node(1, "read"), node(2, "write"), idle, node(4, "read")],
    samples: [1, 2, 3, 4],
    timeDeltas: [1_000, 1_000, 5_000, 2_000],
  });
  t.is(times.busyMs, 4);
  t.is(times.idleMs, 5);
  t.deepEqual(times.functions, [
    { name: "read  src/x.js:5", ms: 3, part: 0.75 },
    { name: "write  src/x.js:5", ms: 1, part: 0.25 },
  ]);
});
