// The pool's task of js-libp2p's stronger syncer: checks consecutive blocks with sodium.

import sodium from "sodium-native";
import { checkBlock } from "./blocks.mjs";

const verify = (signature, body, sender) =>
  sodium.crypto_sign_verify_detached(signature, body, sender);

export default function checkBlocks(blocks) {
  let transactions = 0;
  let previous;
  let hash;
  for (const block of blocks) {
    const checked = checkBlock(block, verify);
    if (hash !== undefined && Buffer.compare(checked.previous, hash) !== 0) throw new Error("link");
    transactions += checked.transactions;
    previous ??= checked.previous;
    hash = checked.hash;
  }
  return { transactions, previous, hash };
}
