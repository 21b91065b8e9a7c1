// Requests of 100 bytes and answers of 200 on one connection between two processes, one at a time
// and 16 in flight, beside bare TLS 1.3 and beside js-libp2p on a stream that is kept and with a
// stream for each request.

import { startChild, type Child } from "./lib/child.js";
import type { ClosedLoopFigures } from "./lib/closed-loop.js";
import { runRounds, type Contender } from "./lib/contenders.js";
import { startLibp2p } from "./lib/libp2p.js";
import type { ProcessFigures } from "./lib/meter.js";
import { Report, type BenchOptions } from "./lib/report.js";
import type { AnswererMethods, AskerMethods } from "./lib/reqresp-roles.js";

const ROLES = new URL("./lib/reqresp-roles.js", import.meta.url);
const IN_FLIGHT = [1, 16];
const KEPT = "kept";
const STREAM_EACH = "stream-each";

interface Ends {
  readonly answerer: Promise<Child<AnswererMethods>>;
  readonly asker: Promise<Child<AskerMethods>>;
}

export async function run(options: BenchOptions): Promise<void> {
  const report = new Report("reqresp", options);
  const contender = (subject: string, way: string, start: () => Ends): Contender => ({
    name: `${subject} ${way}`,
    run: () => measure(start(), options, (...args) => sample(report, subject, way, ...args)),
  });
  const ours = (answerer: string, asker: string) => (): Ends => ({
    answerer: startChild(ROLES, answerer),
    asker: startChild(ROLES, asker),
  });
  const theirs = (asker: string) => (): Ends => ({
    answerer: startLibp2p("reqresp", "answerer"),
    asker: startLibp2p("reqresp", asker),
  });
  await runRounds(options, [
    contender("vibecoin", KEPT, ours("answerer", "asker")),
    contender("limit", KEPT, ours("bareAnswerer", "bareAsker")),
    ...(options.libp2p
      ? [
          contender("libp2p", KEPT, theirs("keptAsker")),
          contender("libp2p", STREAM_EACH, theirs("streamAsker")),
        ]
      : []),
  ]);
  for (const inFlight of IN_FLIGHT) {
    const rate = `${KEPT}-${inFlight}/rate`;
    report.ratio("vibecoin", "limit", rate);
    report.ratio("vibecoin", "libp2p", rate);
    report.ratio("vibecoin", "libp2p", rate, `${STREAM_EACH}-${inFlight}/rate`);
    report.ratio("vibecoin", "libp2p", `${KEPT}-${inFlight}/cpu-per-request`);
  }
  report.print();
}

type Sample = (inFlight: number, asker: ClosedLoopFigures, answerer: ProcessFigures) => void;

async function measure(ends: Ends, { smoke }: BenchOptions, sampled: Sample): Promise<void> {
  const [answerer, asker] = await Promise.all([ends.answerer, ends.asker]);
  try {
    await asker.connect(await answerer.listen(undefined));
    await asker.run({ inFlight: 16, seconds: smoke ? 0.2 : 2 });
    for (const inFlight of IN_FLIGHT) {
      await answerer.begin(undefined);
      const figures = await asker.run({ inFlight, seconds: smoke ? 0.2 : 3 });
      sampled(inFlight, figures, await answerer.finish(undefined));
    }
  } finally {
    await Promise.all([asker.release(), answerer.release()]);
  }
}

function sample(
  report: Report,
  subject: string,
  way: string,
  inFlight: number,
  asker: ClosedLoopFigures,
  answerer: ProcessFigures,
): void {
  const load = `${way}-${inFlight}`;
  const cpuSeconds = asker.cpuSeconds + answerer.cpuSeconds;
  report.sample(subject, `${load}/rate`, "1/s", asker.answered / asker.seconds);
  report.sample(subject, `${load}/latency-p50`, "ms", asker.p50Ms);
  report.sample(subject, `${load}/latency-p99`, "ms", asker.p99Ms);
  report.sample(subject, `${load}/latency-max`, "ms", asker.latencyMaxMs);
  report.sample(subject, `${load}/cpu-per-request`, "µs", (cpuSeconds * 1e6) / asker.answered);
  report.process(subject, `${load}/asker`, asker);
  report.process(subject, `${load}/answerer`, answerer);
}
