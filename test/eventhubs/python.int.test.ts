import { sdkSuite } from "./peers/suite.ts"

await sdkSuite("python", "azure-eventhub of Python", {
  inclusiveOffsets: true,
  stolen: /higher epoch/,
  unauthorized: /AuthenticationError/,
  // Of a link that is refused while a send is under way it keeps no reason.
  maySend: /EventDataSendError/,
  mayRead: /'Listen' claim\(s\) are required/,
  booleansAsNumbers: true
})
