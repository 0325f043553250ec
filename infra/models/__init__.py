"""Tables, one module a slice. Import from here so that every table is known to Alembic."""

from infra.models.access import Entitlement
from infra.models.accounts import (
    Block,
    Creator,
    CreatorApplication,
    Follow,
    FormerHandle,
    User,
)
from infra.models.audit import AuditEntry, AuditLink
from infra.models.auth import (
    AuthChallenge,
    AuthSession,
    Mail,
    Passkey,
    RecoveryCode,
    RefreshToken,
    TotpSecret,
)
from infra.models.backups import Backup
from infra.models.base import Base
from infra.models.charges import Charge
from infra.models.contract import IdempotencyRecord
from infra.models.ledger import (
    AccountBalance,
    CreatorMoney,
    EarningLot,
    Journal,
    JournalEntry,
    LedgerAccount,
    LotMovement,
)
from infra.models.media import BlockedHash, EncodedChunk, Media, Rendition, Upload
from infra.models.messages import Conversation, Message, MessageMedia
from infra.models.payment_methods import CardDecline, CardSetup, PaymentMethod, StripeCustomer
from infra.models.payouts import ConnectedAccount, Payout, PayoutBatch, PayoutSkip
from infra.models.posts import Comment, Post, PostLike, PostMedia
from infra.models.reconcile import Reconciliation
from infra.models.refunds import AccessEntry, Dispute, Refund
from infra.models.stripe import StripeCall, StripeEvent, StripePoll
from infra.models.subscriptions import Gift, Subscription, SubscriptionEvent, TrialUse
from infra.models.tiers import PromoCode, PromoRedemption, Tier, TierBundle, TierPriceChange
from infra.models.tips import Tip
from infra.models.unlocks import Unlock

__all__ = [
    "AccessEntry",
    "AccountBalance",
    "AuditEntry",
    "AuditLink",
    "AuthChallenge",
    "AuthSession",
    "Backup",
    "Base",
    "Block",
    "BlockedHash",
    "CardDecline",
    "CardSetup",
    "Charge",
    "Comment",
    "ConnectedAccount",
    "Conversation",
    "Creator",
    "CreatorApplication",
    "CreatorMoney",
    "Dispute",
    "EarningLot",
    "EncodedChunk",
    "Entitlement",
    "Follow",
    "FormerHandle",
    "Gift",
    "IdempotencyRecord",
    "Journal",
    "JournalEntry",
    "LedgerAccount",
    "LotMovement",
    "Mail",
    "Media",
    "Message",
    "MessageMedia",
    "Passkey",
    "PaymentMethod",
    "Payout",
    "PayoutBatch",
    "PayoutSkip",
    "Post",
    "PostLike",
    "PostMedia",
    "PromoCode",
    "PromoRedemption",
    "Reconciliation",
    "RecoveryCode",
    "RefreshToken",
    "Refund",
    "Rendition",
    "StripeCall",
    "StripeCustomer",
    "StripeEvent",
    "StripePoll",
    "Subscription",
    "SubscriptionEvent",
    "Tier",
    "TierBundle",
    "TierPriceChange",
    "Tip",
    "TotpSecret",
    "TrialUse",
    "Unlock",
    "Upload",
    "User",
]
