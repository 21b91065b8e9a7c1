// Memory that is not zeroed first, which takes longer than filling it: for whoever overwrites all
// that is read later. Its buffer belongs to nobody else.

export function uninitialised(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
}
