// What the two routers tell, as metrics: messages by kind, and the subsystems. Part of the metrics.

import { Counter, Gauge, type Registry } from "prom-client";
import type { Network } from "../network.js";
import { Advances } from "./advances.js";
import { histogramText } from "./histogram-text.js";

type Kinds = Awaited<ReturnType<Network["kindStatistics"]>>;
type Subsystems = Awaited<ReturnType<Network["status"]>>["subsystems"];

const STATES = ["closed", "half-open", "open", "absent"] as const;

/** Sets the registry's metrics, and answers the text of the histograms, which belongs behind its own. */
export function routingMetrics(
  registry: Registry,
): (kinds: Kinds, subsystems: Subsystems) => string {
  const setKinds = kindGauges(registry);
  const setSubsystems = subsystemMetrics(registry);
  return (kinds, subsystems) => {
    setKinds(kinds);
    setSubsystems(subsystems);
    const all = Object.entries(kinds).flatMap(([kind, figures]) =>
      figures === undefined ? [] : [[kind, figures] as const],
    );
    return (
      histogramText(
        "message_queued_seconds",
        "From when a message was whole to when its handler was given it",
        "kind",
        all.map(([kind, { queued }]) => [kind, queued]),
      ) +
      histogramText(
        "message_handled_seconds",
        "From then on to when it was dealt with",
        "kind",
        all.map(([kind, { handled }]) => [kind, handled]),
      ) +
      histogramText(
        "subsystem_answer_seconds",
        "How long answers took, of the questions that were followed",
        "subsystem",
        subsystems.map(({ name, answered }) => [name, answered]),
      )
    );
  };
}

function kindGauges(registry: Registry): (kinds: Kinds) => void {
  const gauge = (name: string, help: string): Gauge =>
    new Gauge({ name: `vibecoin_${name}`, help, labelNames: ["kind"], registers: [registry] });
  const open = gauge("messages_open", "Messages that wait for their handler, or that it works on");
  const part = gauge("messages_dropped_part", "Of the last second's, dropped for overload: 0 to 1");
  return (kinds) => {
    for (const [kind, figures] of Object.entries(kinds)) {
      if (figures === undefined) continue;
      open.set({ kind }, figures.open);
      part.set({ kind }, figures.dropPart);
    }
  };
}

function subsystemMetrics(registry: Registry): (subsystems: Subsystems) => void {
  const registers = [registry];
  const counter = (name: string, help: string, ...labels: string[]): Counter =>
    new Counter({
      name: `vibecoin_subsystem_${name}_total`,
      help,
      labelNames: ["subsystem", ...labels],
      registers,
    });
  const state = new Gauge({
    name: "vibecoin_subsystem_state",
    help: "1 for the state that it is in: closed when it answers",
    labelNames: ["subsystem", "state"],
    registers,
  });
  const waiting = new Gauge({
    name: "vibecoin_subsystem_waiting",
    help: "Messages that wait for room in its mailbox",
    labelNames: ["subsystem"],
    registers,
  });
  const counters = {
    routed: counter("routed", "Messages that were told to it"),
    held: counter("held", "Messages that had to wait for room in its mailbox"),
    late: counter("late", "Answers that were late, of the questions that were followed"),
    failed: counter("failed", "Of these, those that never came"),
  };
  const refused = counter("refused", "Questions that were refused, by why", "reason");
  const advances = new Advances();
  return (subsystems) => {
    for (const one of subsystems) {
      const subsystem = one.name;
      const by = (name: string, total: number) => advances.of(`${subsystem} ${name}`, total);
      for (const known of STATES)
        state.set({ subsystem, state: known }, known === one.state ? 1 : 0);
      waiting.set({ subsystem }, one.waiting);
      for (const [name, each] of Object.entries(counters)) {
        each.inc({ subsystem }, by(name, one[name as keyof typeof counters]));
      }
      for (const [reason, total] of Object.entries(one.refused)) {
        refused.inc({ subsystem, reason }, by(`refused ${reason}`, total));
      }
    }
  };
}
