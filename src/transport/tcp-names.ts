// From a host's name to its IP addresses, within a deadline: the hosts file, then DNS, then, for a
// name that DNS does not know, the system's own way (search domains, mDNS). The system's way alone
// can be neither hurried nor ended, and libuv has two places for it: with a silent DNS server two
// dead names keep all others out for half a minute. Asked by the TCP transport's dials.

import { lookup, Resolver } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { CodedError, errorText } from "../errors.js";
import type { Clock } from "../ports.js";

export interface NameResolver {
  /** IP addresses, at least one. Rejects with NAME_UNRESOLVED, which says why. */
  resolve(name: string): Promise<readonly string[]>;
  /** Ends every lookup at once; those that are open reject. */
  close(): void;
}

export interface NameResolverOptions {
  readonly clock: Pick<Clock, "setTimer">;
  readonly timeoutMs: number;
  /** `address:port` of each DNS server; default: the system's. */
  readonly servers?: readonly string[];
  /** Default: the system's. */
  readonly hostsFile?: string;
  /** The system's own way; one call at a time. Default: getaddrinfo. */
  readonly system?: (name: string) => Promise<readonly string[]>;
}

const HOSTS_FILE =
  process.platform === "win32" ? "C:\\Windows\\System32\\drivers\\etc\\hosts" : "/etc/hosts";
/** After the first family's addresses the other's may take so long: RFC 8305 says 50 ms. */
const OTHER_FAMILY_MS = 50;
/** So many names at once: the dials that are open at once, and some. */
const LOOKUPS_MAX = 64;

export function createNameResolver(options: NameResolverOptions): NameResolver {
  const { clock, timeoutMs, servers, hostsFile = HOSTS_FILE, system = getaddrinfo } = options;
  /** Each ends one lookup. */
  const open = new Set<(error: CodedError) => void>();
  let systemBusy = false;

  const bySystem = async (name: string): Promise<readonly string[]> => {
    if (systemBusy) throw new Error("DNS does not know it, and the system's lookup is busy");
    systemBusy = true;
    try {
      return await system(name);
    } finally {
      systemBusy = false;
    }
  };

  const steps = async (name: string, dns: Resolver): Promise<readonly string[]> => {
    const local = await fromHostsFile(hostsFile, name);
    if (local.length > 0) return local;
    if (name === "localhost" || name.endsWith(".localhost")) return ["127.0.0.1", "::1"];
    const found = await byDns(name, dns, clock);
    return found.length > 0 ? found : bySystem(name);
  };

  return {
    async resolve(name) {
      if (isIP(name) !== 0) return [name];
      if (open.size >= LOOKUPS_MAX) throw unresolved(`${LOOKUPS_MAX} other lookups are open`);
      // One a lookup: it reads the system's servers anew, and can be ended alone.
      const dns = new Resolver({ timeout: Math.ceil(timeoutMs / 2), tries: 2 });
      if (servers !== undefined) dns.setServers(servers);
      let end: (error: CodedError) => void = () => undefined;
      const ended = new Promise<never>((_resolve, reject) => (end = reject));
      const late = unresolved(`no answer within ${timeoutMs} ms`);
      const timer = clock.setTimer(timeoutMs, () => end(late));
      open.add(end);
      try {
        return await Promise.race([ended, steps(name.replace(/\.$/, "").toLowerCase(), dns)]);
      } catch (error) {
        throw error instanceof CodedError ? error : unresolved(errorText(error), error);
      } finally {
        timer.cancel();
        open.delete(end);
        dns.cancel();
      }
    },
    close() {
      for (const end of open) end(unresolved("the transport closed"));
    },
  };
}

/** None when DNS knows no such name or refuses to say; rejects when it is silent. */
async function byDns(
  name: string,
  dns: Resolver,
  clock: Pick<Clock, "setTimer">,
): Promise<readonly string[]> {
  const families = [dns.resolve4(name), dns.resolve6(name)].map((answer) =>
    answer.catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ETIMEOUT" || error.code === "ECANCELLED") throw error;
      return [];
    }),
  );
  const first = await Promise.any(families.map(atLeastOne)).catch(() => undefined);
  // All have answered, none with an address: it is not there, or nobody would say.
  if (first === undefined) return (await Promise.all(families)).flat();
  const rest = new Promise<readonly string[]>((resolve) => {
    clock.setTimer(OTHER_FAMILY_MS, () => resolve(first));
  });
  const both = Promise.all(families).then((answers) => answers.flat());
  return Promise.race([both.catch(() => first), rest]);
}

async function atLeastOne(answer: Promise<readonly string[]>): Promise<readonly string[]> {
  const addresses = await answer;
  if (addresses.length === 0) throw new Error("no address");
  return addresses;
}

/** A file that is missing, or that nobody may read, has no names. */
async function fromHostsFile(file: string, name: string): Promise<readonly string[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.split("\n").flatMap((line) => {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().toLowerCase().split(/\s+/);
    return names.includes(name) && isIP(address) !== 0 ? [address] : [];
  });
}

async function getaddrinfo(name: string): Promise<readonly string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}

function unresolved(why: string, cause?: unknown): CodedError {
  return new CodedError("NAME_UNRESOLVED", `name-not-resolved (${why})`, { cause });
}
