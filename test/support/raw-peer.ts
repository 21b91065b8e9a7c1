export * from "../../src/drill/wire/raw-peer.js";
