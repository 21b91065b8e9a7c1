// What scripts that count results share: their last line, `N passed, N failed`, and their exit code.

/** In an exit handler, so that a crash or an interruption of the script has its last line too. */
export function countResults() {
  const counts = { passed: 0, failed: 0 };
  process.on("exit", (code) => {
    if (code !== 0 && counts.failed === 0) counts.failed = 1;
    if (counts.failed > 0) process.exitCode = code || 1;
    console.log(`${counts.passed} passed, ${counts.failed} failed`);
  });
  return counts;
}
