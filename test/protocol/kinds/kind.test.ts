import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { KINDS, MESSAGE_KINDS } from "../../../src/protocol/index.js";
import { ruleOf } from "../../../src/protocol/types/message.js";
import { projectRoot } from "../../vectors/generate.js";

/** What the host asks of its network has this name too. */
const ALSO_A_QUESTION = "GetPeers";
/** Those of the control lane are the session's own, whether they are negotiated or not. */
const PROTOCOL_KINDS = MESSAGE_KINDS.filter(
  (kind) => KINDS[kind].lane !== "control" && kind !== ALSO_A_QUESTION,
);

/** Each of them makes or reads what is in the messages that it names. */
const THEIR_BUSINESS = [
  "src/actors/handlers/",
  "src/actors/integration/",
  // The broadcaster.
  "src/actors/peer/block-push.ts",
  "src/actors/peer/broadcaster-state.ts",
  "src/actors/peer/peer-broadcaster.ts",
  "src/actors/peer/relay-",
  // A claim of a head is known to the peer table before anybody acts on it.
  "src/actors/peer/peer-news.ts",
  "src/actors/sync/",
  "src/drill/",
  "src/protocol/kinds/",
  "src/sim/",
];

function sources(): readonly string[] {
  return readdirSync(join(projectRoot(), "src"), { recursive: true, encoding: "utf8" })
    .map((path) => `src/${path}`)
    .filter((path) => path.endsWith(".ts"));
}

test("only who handles what is in a message tells it apart by the name of its kind", (t) => {
  const name = new RegExp(`"(${PROTOCOL_KINDS.join("|")})"`);
  const others = sources().filter((path) => !THEIR_BUSINESS.some((own) => path.startsWith(own)));
  t.true(others.length > 100);
  for (const path of others) {
    const found = name.exec(readFileSync(join(projectRoot(), path), "utf8"));
    t.is(found, null, `${path} names ${found?.[0] ?? ""}: a descriptor should say what it needs`);
  }
});

test("the descriptors of the kinds agree with each other", (t) => {
  const codes = new Set(MESSAGE_KINDS.map((kind) => KINDS[kind].code));
  t.is(codes.size, MESSAGE_KINDS.length);
  for (const kind of MESSAGE_KINDS) {
    const { code, role, answeredBy, quota, counts, lane, capability } = ruleOf(kind);
    // The rest is for the protocols that services bring.
    t.true(code > 0 && code < 0x80, kind);
    const isCounted = role === "request" || (role === "oneWay" && lane !== "control");
    t.is(quota !== undefined, isCounted, `${kind} is counted unless it is an answer or control`);
    t.is(answeredBy !== undefined, role === "request", `${kind} is answered when it is a request`);
    t.true(counts === undefined || quota !== undefined || role === "response", kind);
    t.true(lane === "control" || capability !== undefined, "what is in no protocol is control");
    if (answeredBy === undefined) continue;
    const answer = ruleOf(MESSAGE_KINDS.find((other) => other === answeredBy)!);
    t.is(answer.role, "response", kind);
    t.is(answer.lane, lane, `${kind} is answered on its own lane`);
    t.is(answer.capability, capability, kind);
  }
});
