// Lanes within one connection: one SendLanes and one ReceiveLanes per peer handler. Both count
// credit in whole frames, payload and header, so the two ends of a connection always agree.

export { SendLanes } from "./send-lanes.js";
export { ReceiveLanes } from "./receive-lanes.js";
export type { MessageSink, ReceivedMessage } from "./receive-lanes.js";

export interface WindowOptions {
  /** What either side may send on a data lane before the first WindowUpdate; both must agree. */
  readonly windowBytesInitial: number;
  /** To this a window may grow. */
  readonly windowBytesMax: number;
}
