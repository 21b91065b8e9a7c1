// Who holds a data directory. The holder's identity lies in the LMDB environment itself and is
// tested and set in one write transaction, so two processes cannot both win, and taking over from
// a dead one is no race either. LMDB's write lock is a robust mutex: it survives kill -9.
// A thread is alive when /proc knows its id with the same start time since the same boot; where
// there is no /proc, when its process exists. Pid namespaces that share a directory are not told
// apart: give each container its own directory.

import { readFileSync, readlinkSync } from "node:fs";

export interface Holder {
  readonly pid: number;
  /** The OS id of the thread: a network may live, and die, in a worker thread. */
  readonly tid: number;
  /** Clock ticks from boot to the thread's start; 0 where there is no /proc. */
  readonly startTicks: number;
  readonly bootId: string;
}

const THREAD_SELF = /^(\d+)\/task\/(\d+)$/;
const BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id";
/** Of the fields after the command name in /proc/<pid>/stat (proc_pid_stat(5)). */
const STATE_FIELD = 0;
const START_FIELD = 19;

/** The calling thread. */
export function currentHolder(): Holder {
  try {
    const tid = Number(THREAD_SELF.exec(readlinkSync("/proc/thread-self"))![2]);
    const bootId = readFileSync(BOOT_ID_FILE, "utf8").trim();
    return { pid: process.pid, tid, startTicks: startTicks(process.pid, tid)!, bootId };
  } catch {
    return { pid: process.pid, tid: process.pid, startTicks: 0, bootId: "" };
  }
}

export function isAlive(holder: Holder): boolean {
  if (holder.bootId !== "") {
    if (holder.bootId !== currentHolder().bootId) return false;
    return startTicks(holder.pid, holder.tid) === holder.startTicks;
  }
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Undefined when there is no such thread, or only what a parent has yet to reap of it. */
function startTicks(pid: number, tid: number): number | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/task/${tid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return /[ZXx]/.test(fields[STATE_FIELD]!) ? undefined : Number(fields[START_FIELD]);
}
