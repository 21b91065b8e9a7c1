// What operators read, and how this process itself is doing.

export type LogLevel = "debug" | "info" | "warn" | "error";

/** Structured log: an event name in words, and fields. The adapter bounds the rate per event. */
export interface Log {
  write(level: LogLevel, event: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** How this process itself is doing: read before anybody else is blamed. */
export interface Health {
  /** The recent worst delay of the event loop. */
  loopDelayMs(): number;
  /** Anonymous memory of the process, all threads together; undefined or absent: nobody says. */
  anonymousBytes?(): number | undefined;
}
