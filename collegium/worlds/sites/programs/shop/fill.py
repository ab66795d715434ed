"""Fill the shop from its data."""

from decimal import Decimal

import common
import time_machine

COLOURS = {
    "Weather stations": "#2f6f73",
    "Sensors": "#4a6da7",
    "Spare parts": "#8a6d3b",
    "Tools": "#7a4b57",
    "Books and maps": "#5b6b3a",
    "Garden": "#3f7d4e",
}


def fill(data: dict) -> None:
    """Make tables, catalogue, customers, reviews and orders."""
    with time_machine.travel(common.when(data["now"]), tick=False):
        common.start_django()
        common.migrate()
        countries()
        products = catalogue(data)
        users = customers(data)
        vouchers(data)
    reviews(data, products, users)
    orders(data, products, users)
    with time_machine.travel(common.when(data["now"]), tick=False):
        common.sign_in(users, "oscar.apps.customer.auth_backends.EmailBackend")
        index()


def countries() -> None:
    """Where the shop delivers to."""
    from oscar.apps.address.models import Country

    for order, (code, name) in enumerate([("NL", "Netherlands"), ("DE", "Germany")]):
        Country.objects.create(
            iso_3166_1_a2=code,
            printable_name=name,
            name=name,
            is_shipping_country=True,
            display_order=order,
        )


def catalogue(data: dict) -> dict:
    """Categories and products, with stock and a picture each."""
    from django.core.files.base import ContentFile
    from oscar.apps.catalogue.categories import create_from_breadcrumbs
    from oscar.apps.catalogue.models import (
        Product,
        ProductAttribute,
        ProductCategory,
        ProductClass,
        ProductImage,
    )
    from oscar.apps.partner.models import Partner, StockRecord

    kind = ProductClass.objects.create(name="Goods", requires_shipping=True, track_stock=True)
    facts = sorted({fact for product in data["products"] for fact in product["facts"]})
    for fact in facts:
        ProductAttribute.objects.create(
            product_class=kind, name=fact.capitalize(), code=fact, type="text"
        )
    partner = Partner.objects.create(name="Fernwick workshop")
    categories = {}
    for category in data["categories"]:
        made = create_from_breadcrumbs(category["name"])
        made.description = category["text"]
        made.save()
        categories[category["name"]] = made
    products = {}
    for one in data["products"]:
        product = Product(
            product_class=kind, title=one["title"], upc=one["upc"], description=one["text"]
        )
        for fact, value in one["facts"].items():
            setattr(product.attr, fact, value)
        product.save()
        ProductCategory.objects.create(product=product, category=categories[one["category"]])
        StockRecord.objects.create(
            product=product,
            partner=partner,
            partner_sku=one["upc"],
            price_currency=data["currency"],
            price=Decimal(one["price"]),
            num_in_stock=one["stock"],
            low_stock_threshold=5,
        )
        picture = ProductImage(product=product, caption=one["title"], display_order=0)
        name = f"{one['upc'].lower()}.png"
        picture.original.save(name, ContentFile(draw(one)), save=True)
        products[one["upc"]] = product
    return products


def draw(product: dict) -> bytes:
    """A plate in the colour of the category, with the number of the product."""
    import io

    from PIL import Image, ImageDraw, ImageFont

    plate = Image.new("RGB", (320, 240), COLOURS[product["category"]])
    pen = ImageDraw.Draw(plate)
    large, small = ImageFont.load_default(56), ImageFont.load_default(22)
    initials = "".join(word[0] for word in product["title"].split()[:2]).upper()
    pen.ellipse((90, 30, 230, 170), outline="white", width=4)
    pen.text((160, 100), initials, fill="white", font=large, anchor="mm")
    pen.text((160, 205), product["upc"], fill="white", font=small, anchor="mm")
    held = io.BytesIO()
    plate.save(held, "PNG")
    return held.getvalue()


def customers(data: dict) -> dict:
    """Customers with an address each, and the owner, who is staff."""
    from django.contrib.auth import get_user_model
    from oscar.apps.address.models import Country, UserAddress

    users = {}
    for one in data["customers"]:
        name = one["email"].partition("@")[0]
        user = get_user_model().objects.create(
            username=name, email=one["email"], first_name=one["first"], last_name=one["last"]
        )
        UserAddress.objects.create(
            user=user,
            first_name=one["first"],
            last_name=one["last"],
            country=Country.objects.get(iso_3166_1_a2="NL"),
            is_default_for_shipping=True,
            is_default_for_billing=True,
            **one["address"],
        )
        users[one["email"]] = user
    users["owner@example.com"] = get_user_model().objects.create(
        username="owner",
        email="owner@example.com",
        first_name="Ines",
        last_name="Halloway",
        is_staff=True,
        is_superuser=True,
    )
    return users


def vouchers(data: dict) -> None:
    """Codes that make a basket cheaper."""
    from oscar.apps.offer.models import Benefit, Condition, ConditionalOffer, Range
    from oscar.apps.voucher.models import Voucher

    everything = Range.objects.create(name="Everything", includes_all_products=True)
    for one in data["vouchers"]:
        condition = Condition.objects.create(range=everything, type=Condition.COUNT, value=1)
        benefit = Benefit.objects.create(
            range=everything, type=Benefit.PERCENTAGE, value=one["percent"]
        )
        offer = ConditionalOffer.objects.create(
            name=one["name"],
            offer_type=ConditionalOffer.VOUCHER,
            condition=condition,
            benefit=benefit,
        )
        voucher = Voucher.objects.create(
            name=one["name"],
            code=one["code"],
            usage=Voucher.MULTI_USE,
            start_datetime=common.when(one["from"]),
            end_datetime=common.when(one["to"]),
        )
        voucher.offers.add(offer)


def reviews(data: dict, products: dict, users: dict) -> None:
    """What customers wrote about products."""
    from oscar.apps.catalogue.reviews.models import ProductReview

    for one in data["reviews"]:
        with time_machine.travel(common.when(one["at"]), tick=False):
            ProductReview.objects.create(
                product=products[one["upc"]],
                user=users[one["by"]],
                score=one["score"],
                title=one["title"],
                body=one["text"],
                status=ProductReview.APPROVED,
            )


def orders(data: dict, products: dict, users: dict) -> None:
    """What customers ordered, placed as the shop itself places orders."""
    from oscar.apps.basket.models import Basket
    from oscar.apps.checkout.calculators import OrderTotalCalculator
    from oscar.apps.order.models import ShippingAddress
    from oscar.apps.order.utils import OrderCreator
    from oscar.apps.partner.models import StockRecord
    from oscar.apps.partner.strategy import Default
    from oscar.apps.shipping.methods import Free

    for one in data["orders"]:
        with time_machine.travel(common.when(one["at"]), tick=False):
            user = users[one["by"]]
            basket = Basket.objects.create(owner=user)
            basket.strategy = Default()
            for upc in one["lines"]:
                # In stock on the day when it was ordered.
                StockRecord.objects.filter(partner_sku=upc).update(num_in_stock=1000)
            for upc, quantity in one["lines"].items():
                basket.add_product(products[upc], quantity)
            method = Free()
            charge = method.calculate(basket)
            home = ShippingAddress()
            user.addresses.first().populate_alternative_model(home)
            home.save()
            order = OrderCreator().place_order(
                basket=basket,
                total=OrderTotalCalculator().calculate(basket, charge),
                shipping_method=method,
                shipping_charge=charge,
                user=user,
                shipping_address=home,
                order_number=one["number"],
            )
            basket.submit()
            for status in ("Being processed", "Complete"):
                if one["status"] in (status, "Complete"):
                    order.set_status(status)
            if one["status"] == "Cancelled":
                order.set_status("Cancelled")
    for one in data["products"]:
        StockRecord.objects.filter(partner_sku=one["upc"]).update(
            num_in_stock=one["stock"], num_allocated=0
        )


def index() -> None:
    """The search index."""
    from django.core.management import call_command

    call_command("rebuild_index", interactive=False, verbosity=0)
