// Mistakes that the simulator must find: the same form as mutations.mjs, where `tests` named unit
// tests. Here each must be caught by a check of a swarm run, whatever the seed's luck, within 200
// seeds. A bug whose text is gone fails the run, so that the list moves with the code.

export const plantedBugs = [
  {
    name: "equal work replaces the head",
    in: "chain/consensus.js",
    find: "candidate.totalDifficulty > current.totalDifficulty",
    with: "candidate.totalDifficulty >= current.totalDifficulty",
  },
  {
    name: "a reorganisation forgets to undo the state",
    in: "actors/integration/reorganisation.js",
    find: "this.#overlay.apply(writes);\n            this.#disconnected.push(at);",
    with: "this.#disconnected.push(at);",
  },
  {
    name: "the state of connected blocks is not stored",
    in: "actors/integration/consensus-integration.js",
    find: "state: overlay.writes(),",
    with: "state: [],",
  },
  {
    name: "a commit is acknowledged before it is durable",
    in: "storage/block-store.js",
    find: "return this.engine.durable();",
    with: "return Promise.resolve();",
  },
  {
    name: "a better branch is never taken",
    in: "actors/integration/consensus-integration.js",
    find: "const moves = tip !== undefined && consensus.prefers(tip, head);",
    with: "const moves = false;",
  },
  {
    name: "fork blocks are not set aside",
    in: "actors/integration/consensus-integration.js",
    find: "aside.push(block);",
    with: "",
  },
  {
    name: "requests never time out",
    in: "actors/peer/request-table.js",
    find: "request.dueMs + graceMs <= nowMs",
    with: "false",
  },
  {
    name: "a failed dial is never tried again",
    in: "actors/service/dial-book.js",
    find: 'target.state = "idle";',
    with: "",
  },
  {
    name: "an unanswered request counts as an offence",
    in: "actors/peer/peer-outbound.js",
    find: 'blame(state, "Timeout",',
    with: 'blame(state, "InvalidBlock",',
  },
  {
    name: "control messages that wait are overwritten",
    in: "runtime/mailbox.js",
    find: "this.control.push(message);",
    with: "this.control.length > 0 ? this.droppedCount++ : this.control.push(message);",
  },
  {
    name: "an odd leaf of the Merkle tree is paired with itself",
    in: "chain/merkle.js",
    find: "right === undefined ? left : nodeHash(left, right)",
    with: "nodeHash(left, right ?? left)",
  },
  {
    name: "the least step of the difficulty is none",
    in: "chain/proof-of-work.js",
    find: "parent.difficulty / STEP_DIVISOR || 1n",
    with: "parent.difficulty / STEP_DIVISOR || 0n",
  },
  {
    name: "new heads are not relayed",
    in: "actors/peer/peer-broadcaster.js",
    find: "if (receivers.length === 0)",
    with: "if (receivers.length >= 0)",
  },
  {
    name: "blocks need not link to their parent",
    in: "chain/rules.js",
    find: "header.previousHash !== parent.hash",
    with: "false",
  },
  {
    name: "proof of work is not checked",
    in: "chain/rules.js",
    find: "!meetsDifficulty(header.hash, difficulty)",
    with: "false",
  },
  {
    name: "signatures in blocks are not checked",
    in: "workers/executor.js",
    find: "if (!signed(parts, transactions[i]))",
    with: "if (false)",
  },
  {
    name: "a block from the future is its sender's offence",
    in: "actors/handlers/block-handler.js",
    find: "peerId === undefined || blamesNobody(rule)",
    with: "peerId === undefined",
  },
  {
    name: "a slot counts twice",
    in: "actors/peer/peer-manager.js",
    find: "taken++;",
    with: "taken += 2;",
  },
  {
    name: "transactions are not announced",
    in: "actors/peer/peer-broadcaster.js",
    find: "pending.add(id);",
    with: "continue;",
  },
  {
    name: "requests in flight have no limit",
    in: "actors/peer/request-table.js",
    find: "this.#pending.size + this.#expired.size >= this.#settings.inFlightMax",
    with: "false",
  },
  {
    name: "one timeout bans",
    in: "actors/peer/reputation-ledger.js",
    find: "Timeout: -2",
    with: "Timeout: -200",
  },
  {
    name: "undo data is pruned up to the head",
    in: "actors/integration/chain-commits.js",
    find: "blocks.prune(floor)",
    with: "blocks.prune(change.head.height)",
  },
  {
    name: "a reorganisation puts nothing back into the mempool",
    in: "actors/integration/mempool-follower.js",
    find: 'steps.push({ type: "abandoned", hash });',
    with: "",
  },
  {
    name: "a restart forgets the bans",
    in: "actors/peer/peer-reputation.js",
    find: "env.config.trustedPeers, env.peers.bans())",
    with: "env.config.trustedPeers, [])",
  },
  {
    name: "blocks that left the chain are told oldest first",
    in: "actors/integration/chain-commits.js",
    find: "const gone = disconnected[at];",
    with: "const gone = disconnected[disconnected.length - 1 - at];",
  },
  {
    name: "a sync fails that never started",
    in: "actors/sync/sync-state.js",
    find: "if (strategy !== null)",
    with: "",
  },
  {
    name: "a backoff never begins anew",
    in: "actors/service/dialer.js",
    find: "target.failures = 0;",
    with: "target.failures += 0;",
  },
  {
    name: "a quiet peer is not asked for a sign of life",
    in: "actors/peer/keep-alive.js",
    find: 'act: due ? "ping" : "wait"',
    with: 'act: "wait"',
  },
];
