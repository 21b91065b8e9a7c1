// The ports: every capability that an actor can be given, as types only. Adapters live in
// transport/, storage/, workers/ and runtime/; compose.ts is where they meet.

export type * from "./ports/time.js";
export type * from "./ports/transport.js";
export type * from "./ports/pool.js";
export type * from "./ports/stores.js";
export type * from "./ports/mempool.js";
export type * from "./ports/consensus.js";
export type * from "./ports/protocols.js";
export type * from "./ports/operations.js";
export type { Breach } from "./types/breach.js";
export type { OwnKindLimits, OwnProtocol } from "./types/own-protocol.js";
export type { PeerId } from "./types/peer-id.js";
