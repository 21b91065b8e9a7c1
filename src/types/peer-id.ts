/** The ed25519 public key of a node in lower-case hex, 64 characters. */
export type PeerId = string;
