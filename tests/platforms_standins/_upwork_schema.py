"""The part of Upwork's GraphQL schema that the stand-in serves.

Names of the query, its arguments and their types, of filters, fields and enumerations: documented, or in answers built
to the official schema. Scalars (times, ids, money) are sent as they are, so that odd rows can have odd types. Where
the documentation was not clear whether a field can be null it can be here.
"""

from __future__ import annotations

SCHEMA = """
scalar DateTime
scalar Raw

enum MarketplaceJobPostingSearchType { USER_JOBS_SEARCH JOBS_FEED USER_SITE_SEARCH_RSS }
enum MarketplaceJobPostingSearchSortField { RECENCY RELEVANCE CLIENT_TOTAL_CHARGE CLIENT_RATING }
enum ContractType { HOURLY FIXED }
enum JobDuration { WEEK MONTH QUARTER SEMESTER ONGOING }
enum EngagementType { FULL_TIME PART_TIME AS_NEEDED }
enum ExperienceLevel { ENTRY_LEVEL INTERMEDIATE EXPERT }

input MarketplaceJobPostingSearchSortAttribute { field: MarketplaceJobPostingSearchSortField! }
input IntRange { rangeStart: Int rangeEnd: Int }
input FloatRange { rangeStart: Float rangeEnd: Float }
input Pagination { after: String first: Int! }
input MarketplaceJobPostingsSearchFilter {
  searchExpression_eq: String
  skillExpression_eq: String
  titleExpression_eq: String
  categoryIds_any: [ID!]
  subcategoryIds_any: [ID!]
  occupationIds_any: [ID!]
  ontologySkillIds_all: [ID!]
  sinceId_eq: String
  maxId_eq: String
  jobType_eq: ContractType
  duration_any: [JobDuration!]
  workload_eq: EngagementType
  clientHiresRange_eq: IntRange
  clientFeedBackRange_eq: FloatRange
  budgetRange_eq: IntRange
  verifiedPaymentOnly_eq: Boolean
  experienceLevel_eq: ExperienceLevel
  locations_any: [String!]
  daysPosted_eq: Int
  proposalRange_eq: IntRange
  pagination_eq: Pagination
}

type Query {
  marketplaceJobPostingsSearch(
    marketPlaceJobFilter: MarketplaceJobPostingsSearchFilter
    searchType: MarketplaceJobPostingSearchType
    sortAttributes: [MarketplaceJobPostingSearchSortAttribute]
  ): MarketplaceJobPostingSearchConnection
  marketplaceJobPosting(id: ID!): MarketplaceJobPosting
  marketplaceJobPostingsContents(ids: [ID!]!): [MarketplaceJobPostingContent]
  companySelector: CompanySelector
}

type MarketplaceJobPostingSearchConnection {
  totalCount: Int
  edges: [MarketplaceJobPostingSearchEdge]
  pageInfo: PageInfo
}
type MarketplaceJobPostingSearchEdge { cursor: String node: MarketplaceJobPostingSearchResult }
type PageInfo { endCursor: String hasNextPage: Boolean }

type Money { rawValue: Raw currency: String displayValue: String }
type MarketplaceJobPostingSearchResult {
  id: ID
  job: MarketplaceJobPosting
  title: String
  description: String
  ciphertext: String
  createdDateTime: DateTime
  publishedDateTime: DateTime
  renewedDateTime: DateTime
  amount: Money
  weeklyBudget: Money
  hourlyBudgetMin: Money
  hourlyBudgetMax: Money
  hourlyBudgetType: String
  duration: JobDuration
  durationLabel: String
  engagement: String
  engagementDuration: EngagementDuration
  experienceLevel: ExperienceLevel
  category: String
  subcategory: String
  occupations: [String]
  skills: [JobSkill]
  totalApplicants: Int
  freelancersToHire: Int
  premium: Boolean
  enterprise: Boolean
  preferredFreelancerLocation: [String]
  client: SearchClient
}
type EngagementDuration { id: ID label: String weeks: Int }
type JobSkill { id: ID name: String prettyName: String highlighted: Boolean }
type SearchClient {
  totalHires: Int
  totalPostedJobs: Int
  totalSpent: Money
  totalFeedback: Float
  totalReviews: Int
  verificationStatus: String
  location: ClientLocation
  memberSinceDateTime: DateTime
  hasFinancialPrivacy: Boolean
  companyName: String
  lastContractPlatform: String
  lastContractTitle: String
}
type ClientLocation { country: String city: String timezone: String }

type MarketplaceJobPosting {
  id: ID
  workFlowState: WorkFlowState
  content: Content
  activityStat: ActivityStat
  classification: Classification
  contractTerms: ContractTerms
  canClientReceiveContractProposal: Boolean
}
type WorkFlowState { closeResult: String status: String }
type Content { title: String description: String }
type ActivityStat { applicationsBidStats: BidStats jobActivity: JobActivity }
type BidStats { avgRateBid: Money minRateBid: Money maxRateBid: Money avgInterviewedRateBid: Money }
type JobActivity {
  lastClientActivity: DateTime
  invitesSent: Int
  totalInvitedToInterview: Int
  totalHired: Int
  totalUnansweredInvites: Int
  totalOffered: Int
  totalRecommended: Int
}
type Classification {
  category: OntologyElement
  subCategory: OntologyElement
  occupation: OntologyElement
  skills: [OntologyElement]
  additionalSkills: [OntologyElement]
}
type OntologyElement { id: ID ontologyId: String type: [String] entityStatus: String preferredLabel: String }
type ContractTerms {
  contractStartDate: String
  contractEndDate: String
  contractType: String
  onSiteType: String
  personsToHire: Int
  experienceLevel: String
  notSurePersonsToHire: Boolean
  notSureExperiencelevel: Boolean
  fixedPriceContractTerms: FixedPriceContractTerms
  hourlyContractTerms: HourlyContractTerms
}
type FixedPriceContractTerms { amount: Money maxAmount: Money engagementDuration: EngagementDuration }
type HourlyContractTerms {
  engagementDuration: EngagementDuration
  engagementType: String
  notSureProjectDuration: Boolean
  hourlyBudgetType: String
  hourlyBudgetMin: Raw
  hourlyBudgetMax: Raw
}
type MarketplaceJobPostingContent {
  id: ID
  ciphertext: String
  title: String
  description: String
  publishedDateTime: DateTime
}

type CompanySelector { items: [CompanySelectorItem] }
type CompanySelectorItem {
  title: String
  photoUrl: String
  organizationId: ID
  organizationRid: ID
  organizationType: String
  organizationLegacyType: String
  organizationEnterpriseType: String
  legacyEnterpriseOrganization: Boolean
  typeTitle: String
}
"""
