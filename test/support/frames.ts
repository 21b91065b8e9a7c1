export * from "../../src/drill/wire/frames.js";
