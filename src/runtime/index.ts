// The actor kernel as a library: define actors, run them in a system, place them in threads,
// simulate them on a virtual clock.

export type * from "./actor.js";
export { defineActor, NO_DEADLINE, replyToOf } from "./actor.js";
export type {
  ActorSystem,
  ActorSystemOptions,
  FaultReport,
  ThreadPlacement,
} from "./actor-system.js";
export { Question } from "./question.js";
export { createActorSystem } from "./actor-system.js";
export type { Scheduler, SchedulerOptions } from "./scheduler.js";
export { createScheduler } from "./scheduler.js";
export type { SeededSchedulerOptions } from "./seeded-scheduler.js";
export { SeededScheduler } from "./seeded-scheduler.js";
export { systemClock } from "./clock.js";
export type { ClockView } from "./virtual-clock.js";
export { VirtualClock } from "./virtual-clock.js";
export type { SeededRandom } from "./random.js";
export { createSystemRandom, seededRandom } from "./random.js";
export type { ModuleExport, ThreadEnvFactory, WorkerThreadsOptions } from "./thread-control.js";
export { workerThreads } from "./thread-link.js";
