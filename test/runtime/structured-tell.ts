// Tells an actor on this thread as if it were on another: what does not survive structured cloning
// throws here. Tests of actors that may be placed in a thread send their messages through it.

import type { ActorRef } from "../../src/runtime/actor.js";
import { decodeRefs, encodeRefs } from "../../src/runtime/wire-refs.js";

export function structuredTell<M>(to: ActorRef<M>, message: M): boolean {
  const refs: ActorRef<never>[] = [];
  const encoded = encodeRefs(message, isRef, (ref) => refs.push(ref) - 1);
  const cloned = structuredClone(encoded);
  return to.tell(decodeRefs(cloned, (index) => refs[index as number] as object) as M);
}

/** Also a test's own stand-in for an actor. */
function isRef(value: object): value is ActorRef<never> {
  return "path" in value && "tell" in value && typeof value.tell === "function";
}
