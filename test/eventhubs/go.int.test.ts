import { sdkSuite } from "./peers/suite.ts"

await sdkSuite("go", "azeventhubs of Go", {
  inclusiveOffsets: true,
  stolen: /ownershiplost/i,
  unauthorized: /status code 401 and description: InvalidSignature/,
  maySend: /'Send' claim\(s\) are required/,
  mayRead: /'Listen' claim\(s\) are required/
})
