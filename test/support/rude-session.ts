export * from "../../src/drill/wire/rude-session.js";
