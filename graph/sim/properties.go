package sim

import "strings"

// The names a resource has, for refusing the names it has not. A letter says what a property is when nothing is known
// of it: l an empty list, o an object that is null, s anything else that is null. From Microsoft's metadata, v1.0.
type properties map[string]byte

// names reads "name name:l name:o …".
func names(list string) properties {
	out := properties{"id": 's'}
	for _, n := range strings.Fields(list) {
		n, t, ok := strings.Cut(n, ":")
		out[n] = 's'
		if ok {
			out[n] = t[0]
		}
	}
	return out
}

var userProperties = names(`aboutMe:o accountEnabled ageGroup assignedLicenses:l assignedPlans:l authorizationInfo:o
birthday businessPhones:l city companyName consentProvidedForMinor country createdDateTime creationType
customSecurityAttributes:o deletedDateTime department displayName employeeHireDate employeeId employeeLeaveDateTime
employeeOrgData:o employeeType externalUserState externalUserStateChangeDateTime faxNumber givenName hireDate identities:l
imAddresses:l interests:l isManagementRestricted isResourceAccount jobTitle lastPasswordChangeDateTime
legalAgeGroupClassification licenseAssignmentStates:l mail mailboxSettings:o mailNickname mobilePhone mySite officeLocation
onPremisesDistinguishedName onPremisesDomainName onPremisesExtensionAttributes:o onPremisesImmutableId
onPremisesLastSyncDateTime onPremisesProvisioningErrors:l onPremisesSamAccountName onPremisesSecurityIdentifier
onPremisesSyncEnabled onPremisesUserPrincipalName otherMails:l passwordPolicies passwordProfile:o pastProjects:l postalCode
preferredDataLocation preferredLanguage preferredName provisionedPlans:l proxyAddresses:l responsibilities:l schools:l
securityIdentifier serviceProvisioningErrors:l showInAddressList signInActivity:o signInSessionsValidFromDateTime skills:l
state streetAddress surname usageLocation userPrincipalName userType manager:o`)

var groupProperties = names(`allowExternalSenders assignedLabels:l assignedLicenses:l autoSubscribeNewMembers classification
createdDateTime deletedDateTime description displayName expirationDateTime groupTypes:l hasMembersWithLicenseErrors
hideFromAddressLists hideFromOutlookClients isArchived isAssignableToRole isManagementRestricted isSubscribedByMail
licenseProcessingState:o mail mailEnabled mailNickname membershipRule membershipRuleProcessingState onPremisesDomainName
onPremisesLastSyncDateTime onPremisesNetBiosName onPremisesProvisioningErrors:l onPremisesSamAccountName
onPremisesSecurityIdentifier onPremisesSyncEnabled preferredDataLocation preferredLanguage proxyAddresses:l renewedDateTime
resourceBehaviorOptions:l resourceProvisioningOptions:l securityEnabled securityIdentifier serviceProvisioningErrors:l theme
uniqueName unseenCount visibility members:l owners:l`)

var contactProperties = names(`addresses:l companyName department displayName givenName jobTitle mail mailNickname
onPremisesLastSyncDateTime onPremisesProvisioningErrors:l onPremisesSyncEnabled phones:l proxyAddresses:l
serviceProvisioningErrors:l surname deletedDateTime`)

var roleProperties = names(`deletedDateTime description displayName roleTemplateId members:l`)

var domainProperties = names(`authenticationType availabilityStatus isAdminManaged isDefault isInitial isRoot isVerified
manufacturer model passwordNotificationWindowInDays passwordValidityPeriodInDays state:o supportedServices:l`)

var organizationProperties = names(`assignedPlans:l businessPhones:l city country countryLetterCode createdDateTime
defaultUsageLocation deletedDateTime displayName marketingNotificationEmails:l mobileDeviceManagementAuthority
onPremisesLastSyncDateTime onPremisesSyncEnabled partnerTenantType postalCode preferredLanguage privacyProfile:o
provisionedPlans:l securityComplianceNotificationMails:l securityComplianceNotificationPhones:l state street
technicalNotificationMails:l tenantType verifiedDomains:l`)

var skuProperties = names(`accountId accountName appliesTo capabilityStatus consumedUnits prepaidUnits:o servicePlans:l skuId
skuPartNumber subscriptionIds:l`)

var principalProperties = names(`accountEnabled addIns:l alternativeNames:l appDescription appDisplayName appId
applicationTemplateId appOwnerOrganizationId appRoleAssignmentRequired appRoles:l createdByAppId customSecurityAttributes:o
deletedDateTime description disabledByMicrosoftStatus displayName homepage info:o isDisabled keyCredentials:l loginUrl logoutUrl
notes notificationEmailAddresses:l oauth2PermissionScopes:l passwordCredentials:l preferredSingleSignOnMode
preferredTokenSigningKeyThumbprint replyUrls:l resourceSpecificApplicationPermissions:l samlSingleSignOnSettings:o
servicePrincipalNames:l servicePrincipalType signInAudience tags:l tokenEncryptionKeyId verifiedPublisher:o`)

var applicationProperties = names(`appId createdDateTime deletedDateTime displayName identifierUris:l keyCredentials:l passwordCredentials:l signInAudience verifiedPublisher:o`)

var assignmentProperties = names(`appRoleId createdDateTime deletedDateTime principalDisplayName principalId principalType
resourceDisplayName resourceId`)

var grantProperties = names(`clientId consentType principalId resourceId scope`)

var folderProperties = names(`childFolderCount displayName isHidden parentFolderId totalItemCount unreadItemCount
childFolders:l messageRules:l messages:l`)

var ruleProperties = names(`displayName sequence isEnabled hasError isReadOnly conditions:o actions:o exceptions:o`)

var messageProperties = names(`bccRecipients:l body:o bodyPreview categories:l ccRecipients:l changeKey conversationId
conversationIndex createdDateTime flag:o from:o hasAttachments importance inferenceClassification internetMessageHeaders:l
internetMessageId isDeliveryReceiptRequested isDraft isRead isReadReceiptRequested lastModifiedDateTime parentFolderId
receivedDateTime replyTo:l sender:o sentDateTime subject toRecipients:l uniqueBody:o webLink attachments:l`)

var attachmentProperties = names(`contentType isInline lastModifiedDateTime name size contentBytes contentId contentLocation`)

var categoryProperties = names(`displayName color`)

var subscriptionProperties = names(`applicationId changeType clientState creatorId encryptionCertificate encryptionCertificateId expirationDateTime
includeResourceData latestSupportedTlsVersion lifecycleNotificationUrl notificationQueryOptions notificationUrl notificationUrlAppId resource`)

var settingsProperties = names(`archiveFolder automaticRepliesSetting:o dateFormat delegateMeetingMessageDeliveryOptions
language:o timeFormat timeZone userPurpose workingHours:o`)

// predicates and actions of a message rule, with what their values are: b boolean, s list of texts, r list of
// recipients, f a folder id, e one word, z a size range.
var predicates = kinds(`bodyContains:s bodyOrSubjectContains:s categories:s fromAddresses:r hasAttachments:b headerContains:s
importance:e isApprovalRequest:b isAutomaticForward:b isAutomaticReply:b isEncrypted:b isMeetingRequest:b isMeetingResponse:b
isNonDeliveryReport:b isPermissionControlled:b isReadReceipt:b isSigned:b isVoicemail:b messageActionFlag:e notSentToMe:b
recipientContains:s senderContains:s sensitivity:e sentCcMe:b sentOnlyToMe:b sentToAddresses:r sentToMe:b sentToOrCcMe:b
subjectContains:s withinSizeRange:z`)

var actions = kinds(`assignCategories:s copyToFolder:f delete:b forwardAsAttachmentTo:r forwardTo:r markAsRead:b markImportance:e
moveToFolder:f permanentDelete:b redirectTo:r stopProcessingRules:b`)

func kinds(list string) map[string]byte {
	out := names(list)
	delete(out, "id")
	return out
}

var searchProperties = names(`displayName filterStartDateTime filterEndDateTime recordTypeFilters:l keywordFilter serviceFilters:l operationFilters:l
userPrincipalNameFilters:l ipAddressFilters:l objectIdFilters:l administrativeUnitIdFilters:l status records:l`)

var foundProperties = names(`createdDateTime auditLogRecordType operation organizationId userType userId service objectId userPrincipalName clientIp
administrativeUnits:l auditData:o`)
