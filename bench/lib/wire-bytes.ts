// The bytes that this process has given to its TCP connections, encrypted, headers of TCP left out:
// what gossip costs on the wire, counted alike for TLS and for libp2p's Noise.

interface StreamHandle {
  readonly bytesWritten?: number;
  /** Below TLS: the handle of the TCP socket. */
  readonly _parent?: StreamHandle;
}

interface Process {
  /** Undocumented, and in Node.js since its beginnings. */
  _getActiveHandles(): readonly {
    readonly remoteAddress?: string;
    readonly _handle?: StreamHandle;
  }[];
}

/** Of the connections that are open now: those that closed take their count with them. */
export function wireBytesWritten(): number {
  const handles = new Set<StreamHandle>();
  for (const { remoteAddress, _handle } of (process as unknown as Process)._getActiveHandles()) {
    if (remoteAddress === undefined || _handle === undefined) continue;
    handles.add(_handle._parent ?? _handle);
  }
  return [...handles].reduce((sum, { bytesWritten = 0 }) => sum + bytesWritten, 0);
}
