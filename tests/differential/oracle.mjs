// SPDX-License-Identifier: Apache-2.0
//
// oracle.mjs - the same case, answered by iam-simulate: JSON Lines in, JSON Lines out, in order.
//
//     node oracle.mjs FOLDER < cases.jsonl        FOLDER/node_modules holds what tests/tools.versions pins
//
// A case is as `kim evaluate` takes it. An answer is {"id","decision","explicit","blocked_by","residual"} and, for the
// statistics, "denied" (layers) and "operators" ("StringEquals true": how often); or {"id","refused"} where the case is one
// that iam-simulate does not take: why, in its words. iam-simulate is a
// separate program to us: it is asked, never read.

import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { join, resolve } from 'node:path'

const load = createRequire(join(resolve(process.argv[2] ?? '.'), 'x.js'))
const { runSimulation, anonymousPrincipal } = load('@cloud-copilot/iam-simulate')

// It takes [] for "none set"; to us [] is "set, and allows nothing". This allows nothing that is ever asked.
const ALLOWS_NOTHING = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'iam:GetUser', Resource: 'arn:aws:iam::000000000000:user/nobody' }],
}
const NO_ENDPOINT = { ...ALLOWS_NOTHING, Statement: [{ ...ALLOWS_NOTHING.Statement[0], Principal: '*' }] }

const named = (documents, layer) => documents.map((document, index) =>
  document.policy ? document : { name: `${layer}[${index}]`, policy: document })
const orNothing = (documents, layer, nothing) => documents === undefined ? undefined
  : documents.length ? named(documents, layer) : [{ name: 'nothing', policy: nothing }]
const levels = (list = []) => list.map(({ target, policies }) => ({ orgIdentifier: target, policies: named(policies, 'policy') }))
const statements = (document) => Array.isArray(document.Statement) ? document.Statement : [document.Statement]

// It adds RCPFullAWSAccess to each level by itself and refuses an Allow in an RCP.
const isFullAccess = ({ policy }) => statements(policy).every((s) => s.Effect === 'Allow')

// It takes one session policy; several are the union of their statements.
function oneSession(documents) {
  if (documents === undefined) return undefined
  if (documents.length === 0) return ALLOWS_NOTHING
  const policies = named(documents, 'session').map((d) => d.policy)
  return { ...policies[0], Statement: policies.flatMap(statements) }
}

function accountOf(request) {
  const inArn = (arn) => typeof arn === 'string' ? arn.split(':')[4] : undefined
  return request.resource_account || inArn(request.resource) || inArn(request.principal) || request.principal
}

function constraints(request) {
  const given = Object.keys(request.context ?? {}).concat(request.known_absent ?? [])
  return [
    ...given.map((keyName) => ({ keyName, presenceIsKnown: true, valueIsKnown: true })),
    ...(request.known_present ?? []).map((keyName) => ({ keyName, presenceIsKnown: true, valueIsKnown: false })),
  ]
}

// What is present with a value that is not known must be there with some value.
const presentWithAny = (keys = []) => Object.fromEntries(keys.map((key) => [key, 'unknown']))

function simulation({ request, policies = {}, s3_public_access_block: block, known_present: present }) {
  const anonymous = request.principal === '*'
  return {
    request: {
      principal: anonymous ? anonymousPrincipal : request.principal,
      action: request.action,
      resource: { resource: request.resource, accountId: accountOf(request) },
      contextVariables: { ...presentWithAny(present ?? request.known_present), ...request.context },
    },
    identityPolicies: named(policies.identity ?? [], 'identity'),
    sessionPolicy: oneSession(policies.session),
    serviceControlPolicies: levels(policies.scp),
    resourceControlPolicies: levels(policies.rcp)
      .map((level) => ({ ...level, policies: level.policies.filter((p) => !isFullAccess(p)) })),
    resourcePolicy: policies.resource,
    permissionBoundaryPolicies: orNothing(policies.boundary, 'boundary', ALLOWS_NOTHING),
    vpcEndpointPolicies: orNothing(policies.endpoint, 'endpoint', NO_ENDPOINT),
    additionalSettings: { s3: { bucketAbacEnabled: true, blockPublicAccess: block?.RestrictPublicBuckets === true } },
  }
}

const LAYERS = {
  identity: 'identityAnalysis', resource: 'resourceAnalysis', boundary: 'permissionBoundaryAnalysis',
  session: 'sessionAnalysis', scp: 'scpAnalysis', rcp: 'rcpAnalysis', endpoint: 'endpointAnalysis',
}
// A chain's statements stand in its levels.
const parts = (part) => part === undefined ? [] : part.ouAnalysis ?? [part]

function statistics(analysis) {
  const denied = [], operators = {}
  for (const [layer, name] of Object.entries(LAYERS))
    for (const part of parts(analysis[name])) {
      if (part.denyStatements.length && !denied.includes(layer)) denied.push(layer)
      for (const { explain } of [...part.denyStatements, ...part.allowStatements, ...part.unmatchedStatements])
        for (const { operator, matches } of [explain?.conditions ?? []].flat())
          operators[`${operator} ${matches}`] = (operators[`${operator} ${matches}`] ?? 0) + 1
    }
  return { denied, operators }
}

async function answer(question) {
  const { id, mode, request } = question
  const options = mode === 'discover'
    ? { simulationMode: 'Discovery', discoveryContextKeyConstraints: constraints({ ...request, ...question }) }
    : { simulationMode: 'Strict' }
  const result = await runSimulation(simulation(question), options)
  if (result.resultType === 'error') return { id, refused: JSON.stringify(result.errors) }
  if (result.resultType === 'wildcard') return { id, refused: 'a resource pattern' }
  const { analysis, ignoredContextKeys: ignored = [] } = result.result
  if (ignored.length) return { id, refused: `context keys: ${ignored.join(' ')}` }
  const allowed = result.overallResult === 'Allowed'
  const residual = allowed && analysis.conditions && analysis.conditions.conditionType !== 'always' ? analysis.conditions : undefined
  return {
    id,
    decision: !allowed ? 'denied' : residual || analysis.ignoredRoleSessionName ? 'conditional' : 'allowed',
    explicit: result.overallResult === 'ExplicitlyDenied',
    blocked_by: analysis.blockedBy ?? [],
    residual,
    ...statistics(analysis),
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line)
  let out
  try {
    out = await answer(question)
  } catch (error) {
    out = { id: question.id, refused: String(error) }
  }
  if (!process.stdout.write(JSON.stringify(out) + '\n'))
    await new Promise((drained) => process.stdout.once('drain', drained))
}
