// What a service says of a protocol that it brings: its name and the limits of its messages.

/** One kind of message: one way, or with `answerBytesMax` a request. */
export interface OwnKindLimits {
  /** The longest body, 1 to 262,144 bytes. */
  readonly bytesMax: number;
  /** It is a request, whose answer has at most so many bytes, 1 to 262,144. */
  readonly answerBytesMax?: number;
  /** From one peer, 1 to 1,000,000. */
  readonly perSecond: number;
  /** At once after a pause. Default: `perSecond`. */
  readonly burst?: number;
  /** What it waits behind, and by which weight it takes turns. Default: `transaction`. */
  readonly lane?: "block" | "sync" | "transaction";
}

/** Both sides of a connection must mean the same by a name: another meaning is another version. */
export interface OwnProtocol {
  /** A name and its version, such as `chat/1`: at most 32 of a-z, 0-9, `-`, `.` and one `/`. */
  readonly name: string;
  /** By name: a letter and up to 31 more letters and digits. */
  readonly kinds: Readonly<Record<string, OwnKindLimits>>;
}
