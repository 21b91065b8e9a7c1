/**
 * A rule that was broken, and how. The two stay two up to where people read them, and where a
 * Disconnect carries them: programs compare and count the rule, and never look into a text.
 */
export interface Breach {
  /** A name of a closed set: of the protocol, of the chain, of a transport or of this node. */
  readonly rule: string;
  /** For people; may hold what a stranger chose. "": the rule says all. */
  readonly detail: string;
}
