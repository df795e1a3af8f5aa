import { sdkSuite } from "./peers/suite.ts"

await sdkSuite("java", "azure-messaging-eventhubs of Java", {
  inclusiveOffsets: false,
  stolen: /higher epoch/,
  unauthorized: /status-code: 401, status-description: InvalidSignature/,
  // What it says of a link that is refused depends on whether it has begun to send.
  maySend: /'Send' claim\(s\) are required|when disposed/,
  mayRead: /'Listen' claim\(s\) are required/
})
