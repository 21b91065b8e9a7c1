// The credit auditor adds up what is out: what a peer's messages hold of a connection, its credit and its
// places among the served, must be in somebody's hand, to the byte; and neither side of a link thinks
// that it may send more than the other side lets it. What is lost in a crash is missing in these sums.

import { Dealt } from "../actors/peer/dealt.js";
import type { PeerHandlerState } from "../actors/peer/peer-handler-state.js";
import { formatAddress } from "../protocol/address.js";
import type { Lane } from "../protocol/types/message.js";
import type { ActorInsight } from "../runtime/actor.js";

const DATA_LANES: readonly Lane[] = ["block", "sync", "transaction"];

/** One side of a connection between honest nodes. */
export interface LinkSide {
  readonly path: string;
  /** The ends as this side has them. */
  readonly local: string;
  readonly remote: string;
  readonly credit: (lane: Lane) => { readonly ownBytes: number; readonly grantedBytes: number };
}

/** What the messages of a peer hold that its handler handed on and that are not dealt with. */
interface Out {
  readonly bytes: number;
  readonly requests: number;
}

/** What is wrong with one peer handler's sums; `peer`: of an actor of that type. */
export function creditFault(peer: ActorInsight): string | undefined {
  const { session, leases } = peer.state as PeerHandlerState;
  const { handedBytes } = leases;
  // What comes after the end of a connection has nothing to go back to.
  if (session.phase === "closing") return undefined;
  const { bytes, requests } = outOf(peer);
  if (handedBytes !== bytes) {
    return `${peer.path} has handed on ${handedBytes} bytes of credit, and ${bytes} are out`;
  }
  if (session.openServes !== requests) {
    return `${peer.path} serves ${session.openServes} requests, and ${requests} are out`;
  }
  return undefined;
}

function outOf({ questions }: ActorInsight): Out {
  const dealt = questions.filter((question) => question instanceof Dealt);
  return {
    bytes: dealt.reduce((sum, { bytes }) => sum + bytes, 0),
    requests: dealt.filter(({ requestId }) => requestId !== 0).length,
  };
}

export function linkSideOf({ path, state }: ActorInsight): LinkSide | undefined {
  const { connection, session } = state as PeerHandlerState;
  if (session.phase === "closing") return undefined;
  const [local, remote] = [formatAddress(connection.local), formatAddress(connection.remote)];
  return { path, local, remote, credit: (lane) => session.credit(lane) };
}

/** What is wrong with the links. `atRest`: nothing is under way on them, so both sides agree. */
export function linkFault(sides: readonly LinkSide[], atRest: boolean): string | undefined {
  const byEnds = new Map(sides.map((side) => [`${side.local} ${side.remote}`, side]));
  for (const side of sides) {
    const other = byEnds.get(`${side.remote} ${side.local}`);
    if (other === undefined) continue;
    for (const lane of DATA_LANES) {
      const { ownBytes } = side.credit(lane);
      const { grantedBytes } = other.credit(lane);
      if (atRest ? ownBytes === grantedBytes : ownBytes <= grantedBytes) continue;
      const said = `${side.path} may send ${ownBytes} bytes of lane ${lane}`;
      return `${said}, and ${other.path} lets it send ${grantedBytes}`;
    }
  }
  return undefined;
}
