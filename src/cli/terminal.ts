// A terminal as `run` uses it: log lines in human words above, one progress bar of the sync below.
// The estimate rests on the proven target alone; what peers merely claim is not shown.

import { MultiBar, type SingleBar } from "cli-progress";
import { prettyFactory } from "pino-pretty";
import type { NetworkEventOf } from "../actors/events/event-types.js";
import type { Network } from "../network.js";

export interface Terminal {
  /** Takes one JSON line of the log. */
  write(line: string): void;
  watch(network: Pick<Network, "subscribe">): void;
  end(): void;
}

/** What of a terminal is used. */
export interface TerminalStream extends NodeJS.WritableStream {
  readonly isTTY: boolean;
  readonly columns: number;
  hasColors(): boolean;
}

type SyncEvent = NetworkEventOf<"SyncStarted" | "SyncProgressed" | "SyncFinished" | "SyncFailed">;

const SYNC_EVENTS = ["SyncStarted", "SyncProgressed", "SyncFinished", "SyncFailed"] as const;
/** Fewer blocks than this are done before a bar could be read. */
const BAR_BLOCKS_MIN = 32;
const FORMAT = "syncing [{bar}] {value}/{total} blocks, {rate} tx/s, {left} left";

export function openTerminal(
  stream: TerminalStream,
  nowMs: () => number = () => performance.now(),
): Terminal {
  const pretty = prettyFactory({
    colorize: stream.isTTY && stream.hasColors(),
    translateTime: "SYS:HH:MM:ss.l",
    singleLine: true,
  });
  let sync: SyncBar | undefined;
  const close = (): void => {
    sync?.close();
    sync = undefined;
  };
  const onEvent = (event: SyncEvent): void => {
    switch (event.type) {
      case "SyncStarted":
        return;
      case "SyncProgressed":
        if (sync === undefined && event.targetHeight - event.height < BAR_BLOCKS_MIN) return;
        sync ??= new SyncBar(stream, event, nowMs());
        sync.progressed(event, nowMs());
        return;
      default:
        close();
    }
  };
  return {
    write(line) {
      const text = pretty(line);
      if (sync === undefined) stream.write(text);
      else sync.log(text);
    },
    watch: (network) => void network.subscribe(SYNC_EVENTS, onEvent),
    end: close,
  };
}

type Progress = NetworkEventOf<"SyncProgressed">;

const START = { rate: "-", left: "-" };

class SyncBar {
  readonly #bars: MultiBar;
  readonly #bar: SingleBar;
  readonly #from: Progress;
  readonly #startMs: number;

  constructor(stream: NodeJS.WritableStream, from: Progress, startMs: number) {
    // Of the kinds of bar this one can print lines above itself.
    this.#bars = new MultiBar({
      format: FORMAT,
      stream,
      clearOnComplete: true,
      gracefulExit: false,
      // Else it turns the terminal's own wrapping off: long lines are cut, and stay so after a kill.
      linewrap: true,
      barsize: 24,
    });
    this.#bar = this.#bars.create(from.targetHeight, from.height, START);
    this.#from = from;
    this.#startMs = startMs;
  }

  /** Prints whole lines above the bar. */
  log(text: string): void {
    this.#bars.log(text);
  }

  close(): void {
    // Lines that wait for the next drawing would be lost.
    this.#bars.update();
    this.#bars.stop();
  }

  progressed({ height, targetHeight, transactionCount }: Progress, nowMs: number): void {
    const seconds = (nowMs - this.#startMs) / 1_000;
    const blocks = height - this.#from.height;
    this.#bar.setTotal(targetHeight);
    if (blocks <= 0 || seconds <= 0) {
      this.#bar.update(height);
      return;
    }
    const left = Math.ceil(((targetHeight - height) * seconds) / blocks);
    const rate = Math.round((transactionCount - this.#from.transactionCount) / seconds);
    this.#bar.update(height, { rate, left: duration(left) });
  }
}

/** `75` → `1m 15s`. */
function duration(seconds: number): string {
  const hours = Math.floor(seconds / 3_600);
  const minutes = Math.floor((seconds % 3_600) / 60);
  if (hours > 0) return `${hours}h ${minutes}m`;
  return minutes > 0 ? `${minutes}m ${seconds % 60}s` : `${seconds}s`;
}
