// Small mistakes that somebody could make, and the tests that must notice each: `in` is a module of
// dist/src, `find` a text that stands in it exactly once, `with` what takes its place. A mutation
// whose text is gone fails the run, so that the list moves with the code.

export const mutations = [
  {
    name: "blocks need not link to their parent",
    in: "chain/rules.js",
    find: "header.previousHash !== parent.hash",
    with: "false",
    tests: ["chain/rules", "node/bad-peer"],
  },
  {
    name: "proof of work is not checked",
    in: "chain/rules.js",
    find: "!meetsDifficulty(header.hash, difficulty)",
    with: "false",
    tests: ["chain/rules", "node/bad-peer"],
  },
  {
    name: "a nonce may be used twice",
    in: "chain/consensus.js",
    find: "first <= before",
    with: "first < before",
    tests: ["chain/consensus"],
  },
  {
    name: "equal work replaces the head",
    in: "chain/consensus.js",
    find: "candidate.totalDifficulty > current.totalDifficulty",
    with: "candidate.totalDifficulty >= current.totalDifficulty",
    tests: ["chain/consensus", "node/reorg"],
  },
  {
    name: "the signature cache knows half of an id",
    in: "workers/signature-cache.js",
    find: "if (word === ID_WORDS)",
    with: "if (word >= ID_WORDS / 2)",
    tests: ["workers/signature-cache"],
  },
  {
    name: "frames are kept before their limit is checked",
    in: "protocol/codec/frame.js",
    find: "open.payloadBytes > rule.payloadBytesMax",
    with: "false",
    tests: ["protocol/codec/frame"],
  },
  {
    name: "a peer may send beyond its window",
    in: "protocol/codec/receive-lanes.js",
    find: "frameBytes > state.availableBytes",
    with: "false",
    tests: ["protocol/codec/"],
  },
  {
    name: "the negotiated protocol is not looked at",
    in: "transport/acceptance.js",
    find: "facts.alpn !== ALPN_PROTOCOL",
    with: "false",
    tests: ["transport/acceptance"],
  },
  {
    name: "data overtakes control",
    in: "runtime/mailbox.js",
    find: "return this.control.length > 0 ? this.control.shift() : this.data.shift();",
    with: "return this.data.length > 0 ? this.data.shift() : this.control.shift();",
    tests: ["runtime/mailbox"],
  },
  {
    name: "a cancelled timer fires all the same",
    in: "runtime/cell.js",
    find: 'note.kind === "timer" && !this.timers.take(note)',
    with: "false",
    tests: ["runtime/"],
  },
  {
    name: "gains buy a licence for an invalid block",
    in: "actors/peer/reputation-ledger.js",
    find: "PROVEN.has(event) ? Math.min(account.score, 0) : account.score",
    with: "account.score",
    tests: ["node/bad-peer", "actors/peer/reputation-ledger"],
  },
  {
    name: "one slot too many",
    in: "actors/peer/peer-manager.js",
    find: "taken >= slotsMax",
    with: "taken > slotsMax",
    tests: ["actors/peer/peer-manager"],
  },
  {
    name: "requests never time out",
    in: "actors/peer/request-table.js",
    find: "request.dueMs + graceMs <= nowMs",
    with: "false",
    tests: ["actors/peer/request-table"],
  },
  {
    name: "blocks other than the headers promise are taken",
    in: "actors/sync/sync-bodies.js",
    find: "!session.matches(task, accepted)",
    with: "false",
    tests: ["actors/sync/"],
  },
  {
    name: "a commit is acknowledged before it is durable",
    in: "storage/block-store.js",
    find: `        }
        return this.engine.durable();
    }
    async prune`,
    with: `        }
        return Promise.resolve();
    }
    async prune`,
    tests: ["storage/memory-stores"],
  },
];
