/* SPDX-License-Identifier: Apache-2.0
 *
 * blocked.c - a row a service and version: patterns of RESOURCE.VERB, and what they do not reach.
 */
#include "plugins/gcp/blocked.h"

#include <stdlib.h>

enum { DEFAULT_VERSION = 3, LAST_VERSION = 4 };

static const struct row {
    int version;
    const char *service;
    const char *blocked;    /* between spaces; "*": all of the service */
    const char *exceptions; /* NULL: none */
} rows[] = {
    {1, "accessapproval", "requests.list serviceAccounts.get settings.*", NULL},
    {1, "accesscontextmanager", "*", "gcpUserAccessBindings.*"},
    {1, "bigquery", "datasets.create datasets.delete datasets.get datasets.setIamPolicy datasets.update jobs.create jobs.delete jobs.list jobs.get "
     "models.create models.delete models.list models.updateMetadata routines.create routines.delete routines.list routines.update", NULL},
    {1, "binaryauthorization", "*", NULL},
    {1, "logging", "logEntries.create logMetrics.*", NULL},
    {1, "run", "authorizeddomains.* configurations.get configurations.list domainmappings.* services.create services.delete services.get services.list "
     "services.update executions.* jobs.create jobs.delete jobs.get jobs.list jobs.run revisions.* routes.get routes.list tasks.*", NULL},
    {1, "storage", "buckets.get buckets.getIamPolicy buckets.list buckets.setIamPolicy buckets.update hmacKeys.update objects.delete objects.get "
     "objects.setRetention", NULL},
    {1, "dataflow", "messages.list metrics.get snapshots.list workItems.* jobs.*", "jobs.snapshot"},
    {1, "datastore", "databases.create databases.delete databases.get databases.getMetadata databases.list", NULL},
    {1, "firebaserules", "*", NULL},
    {1, "gkehub", "membershipbindings.* rbacrolebindings.* features.* fleet.create fleet.get fleet.patch locations.* memberships.* scopes.*",
     "*.createTagBinding *.deleteTagBinding *.listEffectiveTags *.listTagBindings"},
    {1, "pubsub", "*", "*.getIamPolicy *.setIamPolicy schemas.delete schemas.validate subscriptions.consume"},
    {1, "redis", "instances.create instances.delete instances.failover instances.get instances.getAuthString instances.list instances.update "
     "instances.upgrade", NULL},
    {1, "aiplatform", "*", "operations.*"},

    {2, "accesscontextmanager", "*", NULL},
    {2, "containeranalysis", "*", NULL},
    {2, "bigquery", "rowAccessPolicies.* datasets.* jobs.* models.* routines.* tables.*", NULL},
    {2, "bigquerydatapolicy", "*", NULL},
    {2, "bigquerydatatransfer", "transfers.*", NULL},
    {2, "beyondcorp", "*", NULL},
    {2, "cloudasset", "*", NULL},
    {2, "billing", "budgets.*", NULL},
    {2, "cloudbuild", "*", NULL},
    {2, "monitoring", "*", "metricsScopes.link timeSeries.list"},
    {2, "meshconfig", "*", NULL},
    {2, "storage", "bucketOperations.* buckets.* managedFolders.* multipartUploads.* folders.* hmacKeys.* objects.*", NULL},
    {2, "cloudtrace", "*", NULL},
    {2, "compute", "networkAttachments.* networkEdgeSecurityServices.* regionSecurityPolicies.* securityPolicies.* serviceAttachments.* routers.*", NULL},
    {2, "firebaserules", "*", NULL},
    {2, "gkemulticloud", "*", NULL},
    {2, "iap", "*", NULL},
    {2, "redis", "*", NULL},
    {2, "networkmanagement", "*", NULL},
    {2, "networkservices", "edgeCacheKeysets.* edgeCacheOrigins.* edgeCacheServices.*", NULL},
    {2, "recaptchaenterprise", "*", NULL},
    {2, "cloudresourcemanager", "*", "*.createPolicyBinding *.deletePolicyBinding *.searchPolicyBindings *.updatePolicyBinding"},
    {2, "videostitcher", "*", NULL},

    {3, "essentialcontacts", "contacts.*", NULL},
    {3, "iam", "denypolicies.* roles.* serviceAccountKeys.* serviceAccounts.*",
     "serviceAccounts.createTagBinding serviceAccounts.deleteTagBinding serviceAccounts.getCertificateAs serviceAccounts.listEffectiveTags "
     "serviceAccounts.listTagBindings"},
    {3, "dataproc", "autoscalingPolicies.* batches.* clusters.* jobs.* operations.* sessionTemplates.* sessions.* workflowTemplates.*", NULL},
    {3, "servicemanagement", "services.check services.report", NULL},
    {3, "bigtable", "*", NULL},
    {3, "bigtableadmin", "*", NULL},
    {3, "cloudsql", "*", NULL},
    {3, "networkservices", "endpointPolicies.* gateways.* grpcRoutes.* httpRoutes.* httpfilters.* meshes.* route_views.* serviceBindings.* "
     "serviceLbPolicies.* tcpRoutes.* tlsRoutes.*", NULL},
    {3, "trafficdirector", "*", NULL},
    {3, "networkmanagement", "*", NULL},
    {3, "compute", "addresses.* backendBuckets.* backendServices.* externalVpnGateways.* firewallPolicies.* firewalls.* forwardingRules.* "
     "globalAddresses.* globalForwardingRules.* healthChecks.* httpHealthChecks.* httpsHealthChecks.* interconnectAttachments.* "
     "interconnectLocations.* interconnectRemoteLocations.* interconnects.* networks.* packetMirrorings.* publicAdvertisedPrefixes.* "
     "publicDelegatedPrefixes.* regionBackendServices.* regionFirewallPolicies.* regionHealthChecks.* regionSslPolicies.* "
     "regionTargetHttpProxies.* regionTargetTcpProxies.* regionUrlMaps.* routes.* sslPolicies.* subnetworks.* targetGrpcProxies.* "
     "targetHttpProxies.* targetHttpsProxies.* targetInstances.* targetPools.* targetSslProxies.* targetTcpProxies.* targetVpnGateways.* "
     "urlMaps.* vpnGateways.*", NULL},
    {3, "artifactregistry", "*", NULL},
    {3, "pubsub", "*", NULL},
    {3, "workflows", "*", NULL},
    {3, "gkeonprem", "*", NULL},
    {3, "apikeys", "apiKeys.* keys.*", NULL},
    {3, "dns", "*", NULL},
    {3, "datastore", "backupSchedules.* backups.delete backups.get backups.list databases.* entities.* indexes.* locations.* operations.* userCreds.*", NULL},
    {3, "cloudkms", "autokeyConfigs.* cryptoKeyVersions.create cryptoKeyVersions.destroy cryptoKeyVersions.get cryptoKeyVersions.list "
     "cryptoKeyVersions.restore cryptoKeyVersions.update cryptoKeyVersions.useToDecrypt cryptoKeyVersions.useToEncrypt cryptoKeyVersions.useToSign "
     "cryptoKeyVersions.useToVerify cryptoKeyVersions.viewPublicKey ekmConfigs.* importJobs.* keyHandles.* keyRings.*", "importJobs.useToImport"},
    {3, "orgpolicy", "*", NULL},
    {3, "dataplex", "aspectTypes.* datascans.* entries.* entryGroups.create entryGroups.delete entryGroups.get entryGroups.getIamPolicy "
     "entryGroups.import entryGroups.list entryGroups.setIamPolicy entryGroups.update entryGroups.useContactsAspect entryGroups.useGenericAspect "
     "entryGroups.useGenericEntry entryGroups.useOverviewAspect entryGroups.useSchemaAspect entryTypes.* metadataJobs.*", NULL},
    {3, "datalineage", "events.* locations.* operations.* processes.* runs.*", NULL},
    {3, "gkehub", "fleets.*", NULL},
    {3, "cloudfunctions", "*", NULL},
    {3, "spanner", "*", NULL},
    {3, "container", "*", NULL},

    {4, "analyticshub", "dataExchanges.*", NULL},
    {4, "bigquery", "capacityCommitments.* datasources.* readsessions.* reservations.* transfers.*", NULL},
    {4, "clouddeploy", "*", NULL},
    {4, "file", "*", NULL},
    {4, "networkconnectivity", "groups.* hubRouteTables.* hubRoutes.* hubs.* internalRanges.* policyBasedRoutes.* regionalEndpoints.* spokes.*", NULL},
    {4, "privateca", "*", NULL},
    {4, "iam", "oauthClientCredentials.* oauthClients.* workforcePoolProviderKeys.* workforcePoolProviders.* workforcePoolSubjects.* workforcePools.* "
     "workloadIdentityPoolNamespaces.* workloadIdentityPoolProviderKeys.* workloadIdentityPoolProviders.* workloadIdentityPools.*",
     "*.createPolicyBinding *.deletePolicyBinding *.searchPolicyBindings *.updatePolicyBinding"},
    {4, "livestream", "*", NULL},
    {4, "documentai", "*", NULL},
    {4, "securitycentermanagement", "*", NULL},
    {4, "cloudsecurityscanner", "*", NULL},
    {4, "securitycenter", "*", NULL},
    {4, "cloudquotas", "*", NULL},
    {4, "recommender", "*", NULL},
    {4, "alloydb", "*", "databases.*"},
    {4, "apphub", "*", NULL},
    {4, "integrations", "*", "apigeeAuthConfigs.* apigeeCertificates.* apigeeIntegrations.* apigeeIntegrationVers.* apigeeproducts.* apigeeSfdcChannels.* "
     "apigeeSfdcInstances.* apigeeSuspensions.* integrations.deploy integrations.update locations.* securityAuthConfigs.* securityExecutions.* "
     "securityIntegrations.* securityIntegrationVers.delete securityIntegrationVers.deploy securityIntegrationVers.list securityintegtemps.* "
     "securityproducts.* sfdcChannels.create sfdcChannels.list workflows.*"},
    {4, "gkebackup", "*", NULL},
    {4, "composer", "*", NULL},
    {4, "datafusion", "instances.* locations.* namespaces.getIamPolicy namespaces.list namespaces.setIamPolicy operations.*", NULL},
    {4, "cloudkms", "*", "locations.get locations.list"},
    {4, "firebasestorage", "*", NULL},
    {4, "cloudtranslate", "*", "customModels.* translationMemories.*"},
    {4, "workstations", "*", NULL},
    {4, "confidentialcomputing", "*", NULL},
    {4, "contactcenteraiplatform", "*", NULL},
    {4, "datamigration", "*", "mappingrules.*"},
    {4, "dataform", "*", "comments.* commentsnested.* commentThreads.* commentthreadsnested.*"},
    {4, "datastream", "*", NULL},
    {4, "config", "*", NULL},
    {4, "parallelstore", "*", NULL},
    {4, "policysimulator", "*", NULL},
    {4, "secretmanager", "*", NULL},
    {4, "vpcaccess", "*", NULL},
    {4, "serviceusage", "*", NULL},
    {4, "cloudasset", "*", NULL},
    {4, "kubernetesmetadata", "*", NULL},
    {4, "servicemanagement", "consumers.getIamPolicy consumers.setIamPolicy services.create services.delete services.get services.getIamPolicy "
     "services.list services.setIamPolicy services.update", NULL},
    {4, "backupdr", "backupPlanAssociations.create backupPlanAssociations.createForAlloydbCluster backupPlanAssociations.createForCloudSqlInstance "
     "backupPlanAssociations.createForComputeDisk backupPlanAssociations.createForComputeInstance backupPlanAssociations.deleteForAlloydbCluster "
     "backupPlanAssociations.deleteForCloudSqlInstance backupPlanAssociations.deleteForComputeDisk backupPlanAssociations.deleteForComputeInstance "
     "backupPlanAssociations.fetchForAlloydbCluster backupPlanAssociations.fetchForCloudSqlInstance backupPlanAssociations.fetchForComputeDisk "
     "backupPlanAssociations.fetchForComputeInstance backupPlanAssociations.getForAlloydbCluster backupPlanAssociations.getForCloudSqlInstance "
     "backupPlanAssociations.getForComputeDisk backupPlanAssociations.getForComputeInstance backupPlanAssociations.list backupPlanRevisions.* "
     "backupPlans.* backupVaults.* bvbackups.* bvdataSources.abandonBackup bvdataSources.fetchAccessToken bvdataSources.finalizeBackup "
     "bvdataSources.get bvdataSources.initiateBackup bvdataSources.list bvdataSources.remove bvdataSources.setInternalStatus bvdataSources.update "
     "compute.* dataSourceReferences.fetchForAlloydbCluster dataSourceReferences.fetchForCloudSqlInstance "
     "dataSourceReferences.fetchForFilestoreInstance dataSourceReferences.list locations.* managementServers.create "
     "managementServers.createConnection managementServers.delete managementServers.get managementServers.getIamPolicy managementServers.list "
     "managementServers.setIamPolicy managementServers.update operations.* serviceConfig.*",
     "bvbackups.useReadOnlyForAlloydbCluster bvbackups.useReadOnlyForCloudSqlInstance bvbackups.useReadOnlyForFilestoreInstance"},
    {4, "dlp", "charts.* columnDataProfiles.* connections.* deidentifyTemplates.* estimates.* fileStoreProfiles.* inspectTemplates.* jobTriggers.* jobs.* "
     "projectDataProfiles.* storedInfoTypes.* subscriptions.* tableDataProfiles.*", NULL},
    {4, "securesourcemanager", "branchRules.* hooks.* instances.access instances.create instances.delete instances.get instances.getIamPolicy "
     "instances.linkDeveloperConnect instances.list instances.setIamPolicy issuecomments.* issues.* locations.* operations.* prcomments.* "
     "pullRequests.* repositories.create repositories.delete repositories.fetch repositories.get repositories.getIamPolicy repositories.list "
     "repositories.setIamPolicy repositories.update", NULL},
    {4, "connectors", "*", "connections.executeSqlQuery connections.generateOpenAPISpec connections.listenEvent"},
    {4, "metastore", "backups.* databases.delete databases.getIamPolicy databases.setIamPolicy databases.update federations.* imports.* locations.* "
     "operations.* services.* tables.delete tables.getIamPolicy tables.setIamPolicy tables.update", "federations.use services.use"},
};
enum { ROWS = sizeof rows / sizeof *rows, TEXTS_MAX = 1024 };

/* A later version may block all of a service, without the exceptions of an earlier one. */
static bool is_widened(const struct row *row, int version)
{
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].version <= version && rows[i].exceptions == NULL && strcmp(rows[i].service, row->service) == 0 && strcmp(rows[i].blocked, "*") == 0)
            return true;
    return false;
}

static void add(kim_arena *arena, const char *service, const char *words, kim_text *items, size_t *count)
{
    for (const char *at = words, *end; at && *at && *count < TEXTS_MAX; at = *end ? end + 1 : end) {
        end = strchr(at, ' ');
        if (end == NULL)
            end = at + strlen(at);
        items[(*count)++] = kim_text_format(arena, "%s.googleapis.com/%.*s%s", service, (int)(end - at), at, end - at == 1 && *at == '*' ? ".*" : "");
    }
}

gcp_blocked gcp_blocked_of(kim_text version, kim_arena *arena)
{
    int number = DEFAULT_VERSION;
    kim_text *permissions = KIM_NEW_ARRAY(arena, kim_text, TEXTS_MAX), *exceptions = KIM_NEW_ARRAY(arena, kim_text, TEXTS_MAX);
    kim_texts *lists = KIM_NEW_ARRAY(arena, kim_texts, 2);
    if (version.size == 1 && version.bytes[0] >= '1' && version.bytes[0] <= '0' + LAST_VERSION)
        number = version.bytes[0] - '0';
    else if (version.size && !kim_text_is(version, "latest"))
        return (gcp_blocked){NULL, NULL};
    if (permissions == NULL || exceptions == NULL || lists == NULL)
        return (gcp_blocked){NULL, NULL};
    size_t permission_count = 0, exception_count = 0;
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].version > number)
            continue;
        add(arena, rows[i].service, rows[i].blocked, permissions, &permission_count);
        if (!is_widened(&rows[i], number))
            add(arena, rows[i].service, rows[i].exceptions, exceptions, &exception_count);
    }
    lists[0] = (kim_texts){permissions, permission_count};
    lists[1] = (kim_texts){exceptions, exception_count};
    return (gcp_blocked){&lists[0], exception_count ? &lists[1] : NULL};
}
