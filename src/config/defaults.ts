// The default of every setting, read off the tables in settings/.

import { isSetting, type Setting, type Settings } from "./setting.js";
import { SETTINGS, type NetworkConfig } from "./settings.js";

/** Every value of the configuration. Sizes are bytes, times milliseconds, unless named otherwise. */
export const DEFAULTS = deepFreeze(defaultOf(SETTINGS)) as NetworkConfig;

function defaultOf(entry: Setting | Settings): unknown {
  if (isSetting(entry)) return entry.default;
  return Object.fromEntries(Object.entries(entry).map(([key, inner]) => [key, defaultOf(inner)]));
}

export function deepFreeze<T>(value: T): T {
  if (value !== null && typeof value === "object" && !Object.isFrozen(value)) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
