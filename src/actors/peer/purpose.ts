// What this node dials for. A type.

/**
 * What a connection that this node makes is for: all that both sides negotiate; blocks alone, so that
 * whoever maps who relays transactions does not find it; or to see whether somebody is there.
 */
export type Purpose = "full" | "blocks" | "feeler";
