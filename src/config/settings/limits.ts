// The settings of what connections may carry. They can be changed while the node runs.

import { bytes, KIB } from "../setting.js";

/** Below what peers expect of a connection nobody could be served at all. */
export const THROTTLE_BYTES_MIN = 64 * KIB;

const BYTES_PER_SECOND = [0, 2 ** 32] as const;

export const LIMITS = {
  limits: {
    uploadBytesPerSec: bytes(
      0,
      BYTES_PER_SECOND,
      "What all connections may send in a second; 0: no limit. Pings, credit and blocks at the tip do " +
        "not wait for it, and what they take the rest makes good, which has a sixteenth whatever they " +
        "take; then transactions, then history.",
    ),
    downloadBytesPerSec: bytes(
      0,
      BYTES_PER_SECOND,
      "What all connections may receive in a second; 0: no limit. Beyond it sockets are not read, so " +
        "their senders wait.",
    ),
    peerUploadBytesPerSec: bytes(0, BYTES_PER_SECOND, "The same sent to each peer; 0: no limit."),
    peerDownloadBytesPerSec: bytes(
      0,
      BYTES_PER_SECOND,
      "The same received from each peer; 0: no limit.",
    ),
    historyBytesPerDay: bytes(
      0,
      [0, 2 ** 50],
      "Blocks older than a day that are served in a day, but to trusted peers; 0: no limit. Beyond it " +
        "requests for them are refused as RateLimited; what is new is served all the same. What leaves " +
        "counts, from the first that does; a restart begins anew (Bitcoin Core's -maxuploadtarget).",
    ),
  },
} as const;
