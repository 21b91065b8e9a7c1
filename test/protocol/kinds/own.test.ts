import test from "ava";
import { isCoded } from "../../../src/errors.js";
import { checkProtocols, OWN_BODY_BYTES_MAX, ownRules } from "../../../src/protocol/kinds/own.js";
import type { OwnKindLimits, OwnProtocol } from "../../../src/types/own-protocol.js";

const SAY: OwnKindLimits = { bytesMax: 100, perSecond: 5 };
const ASK: OwnKindLimits = { bytesMax: 10, answerBytesMax: 20, perSecond: 1, burst: 3 };

function codes(protocols: readonly OwnProtocol[]): Record<string, number> {
  return Object.fromEntries(ownRules(protocols).map(({ kind, code }) => [kind, code]));
}

test("codes go by the names of protocols and kinds, however they are listed", (t) => {
  const chat = { name: "chat/1", kinds: { Say: SAY, Ask: ASK } };
  const files = { name: "a-file/2", kinds: { Offer: SAY } };
  const given = codes([chat, files]);
  t.deepEqual(given, {
    "a-file/2/Offer": 0x80,
    "chat/1/Ask": 0x81,
    "chat/1/Ask:answer": 0x82,
    "chat/1/Say": 0x83,
  });
  t.deepEqual(codes([files, { ...chat, kinds: { Ask: ASK, Say: SAY } }]), given);
  t.is(codes([chat])["chat/1/Ask"], 0x80, "what one side lacks takes no code");
});

test("a request and its answer know each other, their lane and their limits", (t) => {
  const chat = { name: "chat/1", kinds: { Ask: { ...ASK, lane: "block" as const } } };
  const [request, answer] = ownRules([chat]);
  t.like(request, {
    role: "request",
    lane: "block",
    answeredBy: answer?.kind,
    payloadBytesMax: 16,
  });
  t.deepEqual(request?.rate, { itemsPerSecond: 1, burstItems: 3 });
  t.like(answer, { role: "response", lane: "block", payloadBytesMax: 26 });
});

function refusal(...protocols: readonly OwnProtocol[]): string {
  try {
    checkProtocols(protocols, ["sync/1"]);
    return "";
  } catch (error) {
    return isCoded(error, "CONFIG_INVALID") ? error.message : "another error";
  }
}

test("what cannot be a protocol is refused by name", (t) => {
  const withKinds = (kinds: OwnProtocol["kinds"]): OwnProtocol => ({ name: "chat/1", kinds });
  t.is(refusal(withKinds({ Say: SAY, Ask: ASK })), "");
  t.regex(refusal({ name: "chat", kinds: {} }), /"chat" is no name and version/);
  t.regex(refusal({ name: `${"c".repeat(31)}/1`, kinds: {} }), /is no name and version/);
  t.regex(refusal({ name: "sync/1", kinds: {} }), /sync\/1 is there already/);
  t.regex(refusal(withKinds({}), withKinds({})), /chat\/1 is there already/);
  t.regex(refusal(withKinds({ "two words": SAY })), /chat\/1\/two words is no name of a kind/);
  for (const bytesMax of [0, 1.5, OWN_BODY_BYTES_MAX + 1]) {
    const said = refusal(withKinds({ Say: { ...SAY, bytesMax } }));
    t.regex(said, /bytesMax of chat\/1\/Say is .*: it must be a whole number from 1 to 262144/);
  }
  t.regex(refusal(withKinds({ Say: { ...SAY, perSecond: 0 } })), /perSecond of chat\/1\/Say is 0/);
  const control = { ...SAY, lane: "control" } as unknown as OwnKindLimits;
  t.regex(refusal(withKinds({ Say: control })), /must be one of block, sync, transaction/);
  const names = Array.from({ length: 65 }, (_, i) => [`Ask${i}`, ASK] as const);
  t.regex(refusal(withKinds(Object.fromEntries(names))), /their 130 kinds are more than 128/);
  const many = Array.from({ length: 17 }, (_, i) => ({ name: `chat/${i}`, kinds: {} }));
  t.regex(refusal(...many), /17 are more than 16/);
});

test("what is no protocol at all, as JavaScript may bring it, is refused in a sentence too", (t) => {
  const given = (value: unknown): string => refusal(value as OwnProtocol);
  for (const value of [null, undefined, 7, "chat/1", []]) {
    t.regex(given(value), /: one of them is no object$/);
  }
  t.regex(given({ name: "chat/1" }), /: the kinds of chat\/1 are no object$/);
  t.regex(given({ name: "chat/1", kinds: [] }), /: the kinds of chat\/1 are no object$/);
  t.regex(given({ name: "chat/1", kinds: { Say: null } }), /limits of chat\/1\/Say are no object$/);
});
