export * from "../../src/drill/wire/rsa-chain.js";
