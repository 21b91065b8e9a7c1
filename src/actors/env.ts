// What the actors of a node are given. Each actor asks for the part it uses (`Pick<NodeEnv, ...>`),
// so that it can be embedded alone with no more than that.

import type { NetworkConfig } from "../config.js";
import type {
  BlockStore,
  ChainView,
  Clock,
  Consensus,
  Health,
  LinkedProtocol,
  Log,
  Mempool,
  MempoolStore,
  PeerId,
  PeerStore,
  Random,
  Transport,
  TxStore,
  WorkerPool,
} from "../ports.js";
import type { GroupLimits } from "../protocol/session/group-limits.js";
import type { HeardTypes } from "./events/heard.js";
import type { MemoryLedger } from "./memory-ledger.js";
import type { Throttle } from "./throttle/throttle.js";

export interface NodeEnv {
  readonly config: NetworkConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly health: Health;
  /** Who holds how much: actors of one thread share it, and learn nothing of each other by it. */
  readonly memory: MemoryLedger;
  /** What connections may carry: shared in the same way. */
  readonly throttle: Throttle;
  /** What peers of one address group may do together, shared as the ledger is; absent: no limits. */
  readonly groups?: GroupLimits;
  /** What of the events that come in floods anybody hears; absent: all are published. */
  readonly heard?: HeardTypes;
  /** Under which peers are to tell this node of short ids; 16 bytes, drawn at its start. */
  readonly shortIdKey: Uint8Array;
  /** This node's own id. */
  readonly peerId: PeerId;
  /** Software name and version, as told to peers. */
  readonly agent: string;
  /** By scheme. */
  readonly transports: ReadonlyMap<string, Transport>;
  readonly workers: WorkerPool;
  /**
   * The chain, to read: shared by all actors, none of which can change it. What they read may be newer
   * than the last message that told of it, never older.
   */
  readonly blocks: ChainView;
  /** The same for its one writer, the consensus integration. */
  readonly store: BlockStore;
  /** Absent when transactions are not indexed. */
  readonly transactions?: TxStore;
  readonly peers: PeerStore;
  readonly mempool: Mempool;
  /** Absent: what waits is forgotten with the process. */
  readonly mempoolStore?: MempoolStore;
  readonly consensus: Consensus;
  /** What services brought beside the chain's own; absent: nothing. */
  readonly protocols?: readonly LinkedProtocol[];
}
