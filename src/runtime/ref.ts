// What passes between actors beside their messages: references, signals, the ends of questions.

export interface ActorRef<in M> {
  readonly path: string;
  /** False: refused (mailbox full or actor stopped), counted; the message stays with the sender. */
  tell(message: M): boolean;
}

export type Signal =
  /** This actor is about to stop or restart: release what it holds. */
  | { readonly type: "stopping"; readonly restarting: boolean }
  /** A child of this actor stopped for good. */
  | { readonly type: "childStopped"; readonly path: string; readonly error?: unknown }
  /** A watched actor stopped for good. */
  | { readonly type: "terminated"; readonly path: string }
  /** A target that refused a message of this actor can take more. */
  | { readonly type: "writable"; readonly path: string };

/**
 * How a question ended. `refused`: its mailbox was full; else its owner, who was asked or whom the
 * question was told on to, lost it: `crashed` with it in hand, `dropped` it from a full mailbox, or
 * `stopped`.
 */
export type AskOutcome<R> =
  | { readonly ok: true; readonly value: R }
  | {
      readonly ok: false;
      readonly reason: "timeout" | "refused" | "crashed" | "dropped" | "stopped";
    };

/** The timeout of a question that may take as long as it takes: its owner answers or loses it. */
export const NO_DEADLINE = Number.POSITIVE_INFINITY;
