// What the peers of an address group may do together, so that nobody starts anew by another key or
// connection: one-way messages by kind, bytes that they are served, and what its owner counts of
// them besides. Bounded: the group that was not heard of for longest is forgotten. Pure; one a node,
// shared by the actors of one thread, as the ledger of memory is.

import { isLocalHost, hostGroup } from "../address.js";
import type { KindRule } from "../types/message.js";
import { Allowance } from "./allowance.js";
import { bytesLimit, quotaOf, type QuotaSettings } from "./quotas.js";
import type { RateLimit } from "./rate-limit.js";

type Settings = QuotaSettings & { readonly inbound: { readonly exemptLocal: boolean } };

/** What its peers share. */
export class GroupShare {
  /** The /24 or /48. */
  readonly name: string;
  readonly #settings: QuotaSettings;
  readonly #received: (Allowance | undefined)[] = [];
  readonly #served: (RateLimit | undefined)[] = [];

  constructor(name: string, settings: QuotaSettings) {
    this.name = name;
    this.#settings = settings;
  }

  /** One-way messages of this kind that the group may send; undefined: they are not counted. */
  received(rule: KindRule): Allowance | undefined {
    if (rule.quota === undefined) return undefined;
    return (this.#received[rule.code] ??= this.#allowanceOf(rule));
  }

  /** Bytes of answers to requests of this kind; undefined: they are not counted. */
  served(rule: KindRule): RateLimit | undefined {
    if (rule.quota === undefined) return undefined;
    return (this.#served[rule.code] ??= bytesLimit(
      quotaOf(rule, this.#settings)!,
      this.#settings.receive.groupPeers,
    ));
  }

  #allowanceOf(rule: KindRule): Allowance {
    return new Allowance(quotaOf(rule, this.#settings)!, this.#settings.receive.groupPeers);
  }
}

export class GroupLimits {
  readonly #settings: Settings;
  /** Those that were asked for lately last. */
  readonly #groups = new Map<string, GroupShare>();

  /** Of peers that are here, without those that are exempt; and of how many connections of each. */
  readonly #here = new Map<string, { readonly name: string; connections: number }>();
  /** Of peers that were here lately; those that were asked for lately last. */
  readonly #names = new Map<string, string>();

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** The group in which this peer was seen last; undefined: it is exempt, or long gone. */
  nameOf(peerId: string): string | undefined {
    const name = this.#here.get(peerId)?.name ?? this.#names.get(peerId);
    if (name !== undefined && this.#names.has(peerId)) this.#remember(peerId, name);
    return name;
  }

  get size(): number {
    return this.#groups.size;
  }

  /** Of a peer that connects, until `left`; undefined: peers of this host are exempt. */
  of(host: string, peerId: string): GroupShare | undefined {
    const { inbound, receive } = this.#settings;
    if (inbound.exemptLocal && isLocalHost(host)) return undefined;
    const name = hostGroup(host);
    const group = this.#groups.get(name) ?? new GroupShare(name, this.#settings);
    putLast(this.#groups, name, group, receive.groupsMax);
    const connections = (this.#here.get(peerId)?.connections ?? 0) + 1;
    this.#here.set(peerId, { name, connections });
    return group;
  }

  /** A connection for which `of` was asked, and named a group, has ended. */
  left(peerId: string): void {
    const here = this.#here.get(peerId);
    if (here === undefined) return;
    if (--here.connections > 0) return;
    this.#here.delete(peerId);
    this.#remember(peerId, here.name);
  }

  #remember(peerId: string, name: string): void {
    putLast(this.#names, peerId, name, this.#settings.receive.groupsMax);
  }
}

/** The first ones give way. */
function putLast<V>(map: Map<string, V>, key: string, value: V, max: number): void {
  map.delete(key);
  map.set(key, value);
  for (const [oldest] of map) {
    if (map.size <= max) break;
    map.delete(oldest);
  }
}
