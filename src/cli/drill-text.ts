// A report card in words.

import type { ReportCard } from "../drill/report-card.js";

const MIB = 1_024 ** 2;

export function cardText(card: ReportCard): readonly string[] {
  const { name, threat, passed, failures, seconds, node, honest, attacker } = card;
  return [
    "",
    `${passed ? "ok    " : "FAILED"} ${name}: ${threat}`,
    ...failures.map((failure) => `  !         ${failure}`),
    `  node      ${nodeText(node)}`,
    `  honest    ${honestText(honest)}`,
    `  attacker  ${attackerText(attacker)} in ${seconds} s`,
    `  why       ${endsText(node)}`,
    ...node.lastLines.map((line) => `  log       ${line}`),
  ];
}

function nodeText(node: ReportCard["node"]): string {
  const { rssAnonStartMiB: start, rssAnonPeakMiB: peak, leasedPeakMiB, worstCaseMiB } = node;
  const memory =
    start === null || peak === null
      ? "memory unknown"
      : `memory ${whole(start)} to ${whole(peak)} MiB of ${whole(node.rssAnonMaxMiB)}`;
  return [
    `${memory} (leased at most ${whole(leasedPeakMiB)}, never more than ${whole(worstCaseMiB)})`,
    `loop delay p99 ${tenth(node.loopDelayP99Ms)} ms`,
    `${tenth(node.cpuSeconds)} s of processor (slowed ${tenth(node.slowedBy)}x by others)`,
    `log ${tenth(node.logBytes / 1_024)} KiB`,
  ].join(", ");
}

function honestText(honest: ReportCard["honest"]): string {
  const { pingP50Ms, pingP99Ms, pingP99MaxMs, untouchedPingP99Ms, newcomerMs } = honest;
  const ping =
    `ping p50 ${tenth(pingP50Ms)}, p99 ${tenth(pingP99Ms)} ms ` +
    `(at most ${whole(pingP99MaxMs)}; at an untouched node ${tenth(untouchedPingP99Ms)})`;
  const arrived = honest.blocksMade - honest.blocksMissing;
  const blocks =
    `${arrived} of ${honest.blocksMade} blocks passed on in ${tenth(honest.blockP50Ms)} ms (p50), ` +
    `${tenth(honest.blockMaxMs)} at most`;
  const newcomer =
    newcomerMs === null ? "newcomer not let in" : `newcomer in ${whole(newcomerMs)} ms`;
  return [ping, blocks, newcomer].join("; ");
}

function attackerText(attacker: ReportCard["attacker"]): string {
  const { connections, cpuSeconds, sentBytes, receivedBytes, goneP50Ms, goneMaxMs } = attacker;
  const gone =
    goneP50Ms === null || goneMaxMs === null
      ? "none of them ended"
      : `ended after ${tenth(goneP50Ms)} ms (p50), ${tenth(goneMaxMs)} at most`;
  const notes = Object.entries(attacker.notes).map(([what, count]) => `, ${count} ${what}`);
  return (
    `${connections} connections, ${gone}, ${attacker.left} left${notes.join("")}; ` +
    `${tenth(cpuSeconds)} s of processor, sent ${tenth(sentBytes / MIB)} MiB, ` +
    `got ${tenth(receivedBytes / MIB)} MiB`
  );
}

function endsText({ ends, bans }: ReportCard["node"]): string {
  const each = Object.entries(ends)
    .sort(([, one], [, other]) => other - one)
    .map(([rule, count]) => `${rule} x${count}`);
  if (bans > 0) each.push(`${bans} banned`);
  return each.length === 0 ? "nobody was ended" : each.join(", ");
}

function whole(value: number): string {
  return value.toFixed(0);
}

function tenth(value: number): string {
  return Number.isNaN(value) ? "unknown" : value.toFixed(1);
}
