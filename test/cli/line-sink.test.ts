import test from "ava";
import { openLineSink, type Out } from "../../src/cli/line-sink.js";

type Done = Parameters<Out["write"]>[1];

/** A sink whose writes end as the test says. */
function open(heldBytesMax = 1_000) {
  const texts: string[] = [];
  let done: Done | undefined;
  const out: Out = {
    inThread: true,
    write(bytes, onDone) {
      texts.push(bytes.toString());
      done = onDone;
    },
  };
  const sink = openLineSink({ out, note: (lost) => `lost ${lost}\n`, heldBytesMax });
  const end = (...outcome: Parameters<Done>): void => {
    const onDone = done!;
    done = undefined;
    onDone(...outcome);
  };
  return {
    sink,
    texts,
    /** The write under way takes all of it, or so many bytes. */
    takes: (count = texts.at(-1)!.length) => end(null, count),
    fails: (code: string) => end(Object.assign(new Error(code), { code }), 0),
    isIdle: () => done === undefined,
  };
}

test("what waits for a write goes out together, in order", (t) => {
  const { sink, texts, takes, isIdle } = open();
  for (const line of ["a\n", "b\n", "c\n"]) sink.write(line);
  t.deepEqual(texts, ["a\n"]);
  t.true(sink.isInKernel());
  takes();
  t.deepEqual(texts, ["a\n", "b\nc\n"]);
  takes();
  t.true(isIdle());
  t.false(sink.isInKernel());
});

test("a write that takes a part is followed by the rest", (t) => {
  const { sink, texts, takes } = open();
  sink.write("abcdef\n");
  takes(4);
  t.deepEqual(texts, ["abcdef\n", "ef\n"]);
});

test("what does not fit while the reader sleeps is counted, and the count stands in its place", (t) => {
  const { sink, texts, takes } = open(10);
  sink.write("1234\n");
  sink.write("5678\n");
  sink.write("too much\n");
  sink.write("this too\n");
  takes();
  sink.write("9\n");
  takes();
  t.deepEqual(texts, ["1234\n", "5678\n", "lost 2\n9\n"]);
});

test("a full disk loses lines; when there is room the count is said, by itself", (t) => {
  const { sink, texts, takes, fails, isIdle } = open();
  sink.write("a\n");
  fails("ENOSPC");
  sink.write("b\n");
  sink.write("c\n");
  // The note is lost with the line, and what it counted is not forgotten.
  t.is(texts.at(-1), "lost 1\nb\n");
  fails("ENOSPC");
  t.is(texts.at(-1), "c\n");
  takes();
  t.is(texts.at(-1), "lost 2\n");
  takes();
  t.true(isIdle());
});

test("a line that a full disk cut in two does not run into the next one", (t) => {
  const { sink, texts, takes, fails } = open();
  sink.write("abcdef\n");
  takes(3);
  fails("ENOSPC");
  sink.write("g\n");
  t.is(texts.at(-1), "\nlost 1\ng\n");
});

test("a terminal that was stopped is tried again until it goes on", async (t) => {
  const { sink, texts, takes, fails } = open();
  sink.write("a\n");
  fails("EAGAIN");
  while (texts.length < 2) await new Promise(setImmediate);
  t.deepEqual(texts, ["a\n", "a\n"]);
  takes();
});

test("a flush ends when nothing is held, or when its time is over", async (t) => {
  const { sink, takes } = open();
  await sink.flush(60_000);
  sink.write("a\n");
  await sink.flush(1);
  const flushed = sink.flush(60_000);
  takes();
  await flushed;
  t.pass();
});
