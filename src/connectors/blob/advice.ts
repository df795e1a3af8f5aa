/** What a failed request means and what to do about it, in one sentence, by the service's own codes. Pure. */
import type { Access } from "./access.ts"
import type { BlobFault } from "./BlobContainer.ts"
import type { BlobLocation } from "./location.ts"

const permissions = "read, write, delete and list (sp=rwdl)"

/** By what a store signs its requests. */
const rightOf = (kind: Access["kind"]): string =>
  kind === "key" ? "the account key" : kind === "sas" ? "the SAS" : "the credential"

const notAccepted = (kind: Access["kind"], account: string): string => {
  if (kind === "key") {
    return `the account key is not accepted: copy it anew from the access keys of ${account}, or set this machine's clock`
  }
  if (kind === "sas") {
    return `the SAS is not accepted: it has expired, does not begin yet, or is not of ${account}: make a new one`
  }
  return `the credential is not accepted: it has to be of the tenant that ${account} belongs to`
}

const notAllowed = (kind: Access["kind"], location: BlobLocation): string =>
  kind === "key" || kind === "sas"
    ? `${rightOf(kind)} does not allow this: make one for the container ${location.container} with ${permissions}`
    : `the credential may not do this: give it the role "Storage Blob Data Contributor" on the container ${location.container} (it takes some minutes to work)`

const ofService = (fault: BlobFault, location: BlobLocation, kind: Access["kind"]): string | undefined => {
  const { account, container } = location
  switch (fault.code) {
    case "ContainerNotFound":
      return `there is no container ${JSON.stringify(container)} in ${account}: make it (az storage container create --account-name ${account} --name ${container}), or correct the path`
    case "ContainerBeingDeleted":
      return `the container ${container} is being deleted: wait until it is gone and make it again, or take another`
    case "ContainerDisabled":
    case "AccountIsDisabled":
      return `${account} is switched off: see its page in the Azure portal`
    case "AuthenticationFailed":
    case "InvalidAuthenticationInfo":
    case "NoAuthenticationInformation":
      return notAccepted(kind, account)
    case "KeyBasedAuthenticationNotPermitted":
      return `${account} allows no account keys: use the option credential`
    case "AuthorizationPermissionMismatch":
    case "AuthorizationResourceTypeMismatch":
    case "AuthorizationServiceMismatch":
    case "InsufficientAccountPermissions":
    case "UnauthorizedBlobOverwrite":
      return notAllowed(kind, location)
    case "AuthorizationSourceIPMismatch":
      return "the SAS is for other networks than that of this machine"
    case "AuthorizationFailure":
      // Of a firewall; Azurite says it of all that it does not accept.
      return `${notAccepted(kind, account)}; or let this machine through the firewall of ${account}`
    case "AuthorizationProtocolMismatch":
      return "the SAS is for https only"
    case "BlobImmutableDueToPolicy":
      return `a policy keeps blobs of ${container} from being changed: checkpoints have to be; take a container without one`
    case "LeaseIdMissing":
      return "somebody holds a lease on this blob: break it, and keep others out of this folder"
    case "RequestBodyTooLarge":
      return "the service does not take so much at once: let state end sooner"
    case "Md5Mismatch":
      return "the bytes were damaged on their way"
    case "InvalidHeaderValue":
      return /version/i.test(fault.message) ? `${fault.message} (start Azurite with --skipApiVersionCheck)` : undefined
    case "InvalidResourceName":
    case "InvalidUri":
      return `${fault.message}: correct the path`
    default:
      return undefined
  }
}

const ofNetwork = (fault: BlobFault, { endpoint, account }: BlobLocation): string => {
  const host = endpoint.replace(/^https?:\/\//, "").replace(/\/.*$/, "")
  if (fault.code === "ENOTFOUND" || fault.code === "EAI_AGAIN") {
    return `there is no host ${host}: correct the name of the account, or see to the DNS (a private endpoint has a zone of its own)`
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(fault.code)) {
    return `the certificate of ${host} is not trusted (${fault.code}): a proxy in between has its own: NODE_EXTRA_CA_CERTS`
  }
  if (fault.code === "TIMEOUT") return `${host}: ${fault.message}`
  return `${host} cannot be reached (${fault.message}): is it running, may this machine talk to it, is a proxy in between (${account})?`
}

/** The sentence for a fault. */
export const adviceOn = (fault: BlobFault, location: BlobLocation, kind: Access["kind"]): string => {
  if (fault.kind === "sdk") return `${fault.message}: install it: npm install @azure/storage-blob @azure/identity`
  if (fault.kind === "credential") {
    return `no credential (${fault.code}): sign in with "az login", give this machine a managed identity, or use an option: connectionString, sasToken or credential`
  }
  if (fault.kind === "network") return ofNetwork(fault, location)
  const busy = fault.status === 503 || fault.status === 429 ? "; the service is busy, or limits this account" : ""
  const id = fault.requestId === undefined ? "" : `, request ${fault.requestId}`
  const known = ofService(fault, location, kind)
  return known === undefined
    ? `${fault.message}${busy} (${fault.code}, status ${fault.status}${id})`
    : `${known} (${fault.code}${id})`
}
