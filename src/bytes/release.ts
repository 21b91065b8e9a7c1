// Memory that is given back at once, instead of by the collector: node makes a buffer for each read
// and write, and their memory counts as garbage of the heap. A connection at full speed so made a
// major collection every 30 MB, and each buffer's pages were new ones.

/** Below this a buffer costs the collector less than the call. */
const RELEASED_BYTES_MIN = 8_192;

/** What is posted to a closed port is transferred all the same and then dropped, says HTML. */
const { port1: nowhere } = new MessageChannel();
nowhere.close();

/**
 * Frees the memory of a buffer that nobody reads any more; it and every view of its memory are empty
 * then. Does nothing for a view of a part: others may have the rest.
 */
export function release(bytes: Uint8Array<ArrayBuffer>): void {
  const { buffer, byteLength } = bytes;
  if (byteLength < RELEASED_BYTES_MIN || byteLength !== buffer.byteLength) return;
  nowhere.postMessage(undefined, [buffer]);
}
