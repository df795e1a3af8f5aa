import { sdkSuite } from "./peers/suite.ts"

await sdkSuite("java", "azure-messaging-eventhubs of Java", {
  inclusiveOffsets: false,
  stolen: /higher epoch/,
  unauthorized: /unauthorized/i,
  maySend: /'Send' claim\(s\) are required/,
  mayRead: /'Listen' claim\(s\) are required/
})
