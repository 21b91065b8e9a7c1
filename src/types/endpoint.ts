/** One end of a connection, or where one can be dialed; text only at the edges. */
export interface Endpoint {
  /** Without the colon: `tcp`, `memory`. */
  readonly scheme: string;
  /** The pinned identity: 64 lower-case hex characters. */
  readonly peerId?: string;
  /**
   * A name in lower case, an IPv4 address, or a canonical IPv6 address without brackets, behind
   * which `%` and an interface may stand.
   */
  readonly host: string;
  /** 0 only makes sense for listening: any free port. */
  readonly port: number;
}
