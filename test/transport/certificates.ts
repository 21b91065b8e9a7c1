export * from "../../src/drill/wire/certificates.js";
