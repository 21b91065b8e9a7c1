// What kind of actor a path leads to: `peer` for each of the peers. Used where actors are counted.

/** `/node/network/registry/peer-17` → `peer`. */
export function actorType(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1).replace(/-\d+$/, "");
}
