export * from "../../src/drill/wire/record-peer.js";
